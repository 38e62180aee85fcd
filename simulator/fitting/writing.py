"""Write a calibration file: YAML, one line per parameter, atomically."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from simulator.errors import InputError
from simulator.files.yaml_scalars import DECIMAL


class _Plain(yaml.SafeDumper):
    """Writes what :mod:`simulator.files.yaml_reading` reads: no anchors, and text like ``1e5`` in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Plain.add_implicit_resolver("tag:yaml.org,2002:float", DECIMAL, list("-+.0123456789"))


def to_yaml(content: Mapping[str, Any]) -> str:
    """Block style outside, flow style for leaves."""
    options: dict[str, Any] = {"default_flow_style": None, "width": 120, "allow_unicode": True}
    return str(yaml.dump(dict(content), Dumper=_Plain, sort_keys=False, **options))


def check_target(path: Path) -> None:
    """Refuse an output path that cannot be written, before any work is done.

    Raises:
        InputError: not a .yaml file, a folder that is missing or not writable.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"-o {path}: expected a file that ends in .yaml")
    folder = path.parent if str(path.parent) else Path(".")
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"-o {path}: cannot be written: expected a file in an existing, writable folder")


def write(content: Mapping[str, Any], path: Path) -> None:
    """Write to a temporary file beside the target, then rename.

    Raises:
        InputError: the path cannot be written.
    """
    check_target(path)
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False, encoding="utf-8") as handle:
            handle.write(to_yaml(content))
        Path(handle.name).chmod(0o644)
        os.replace(handle.name, path)
    except OSError as fault:
        raise InputError(f"-o {path}: cannot be written: {fault}") from None
