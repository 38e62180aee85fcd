"""Write a figure to a file, whole or not at all."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import matplotlib
from matplotlib.figure import Figure

from simulator.errors import InputError, brief
from simulator.files.kinds import PICTURE
from simulator.files.writing import write_file

FORMATS = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
DPI = 160
UNDATED: dict[str, Any] = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""What a file would say of the moment and the program that wrote it, left out."""


def picture_format(path: str | os.PathLike[str]) -> str:
    """``png``, ``svg`` or ``pdf``, by the suffix of the path.

    Raises:
        InputError: another suffix.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in FORMATS:
        found = f"the suffix {brief(suffix)}" if suffix else "no suffix"
        known = " or ".join((", ".join([*FORMATS][:-1]), [*FORMATS][-1]))
        raise InputError(f"--plot {os.fspath(path)}: expected a file name that ends in {known}, found {found}")
    return FORMATS[suffix.lower()]


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write the figure as PNG, SVG or PDF by the suffix of the path, replacing a picture of that name.

    A failed or interrupted run leaves no part of one. The same figure gives the same bytes.

    Raises:
        InputError: another suffix, a path that cannot be written, or a file there that is no picture.
        MachineError: the disk is full.
    """
    kind = picture_format(path)

    def draw(file: BinaryIO) -> None:
        with matplotlib.rc_context({"svg.hashsalt": "mtpsim"}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            figure.savefig(file, format=kind, dpi=DPI, metadata=UNDATED[kind])

    write_file("--plot", path, PICTURE, draw)
