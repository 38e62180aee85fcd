"""Write a calibration or kernel priors: YAML, one line per parameter, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.files import yaml_writing
from simulator.files.kinds import CALIBRATION, Kind


def check_target(path: Path, kind: Kind = CALIBRATION) -> None:
    """Refuse an output path that cannot be written, before any work is done.

    Raises:
        InputError: not a .yaml file, a folder that is missing or not writable, or another kind of file stands there.
        MachineError: the disk is full.
    """
    yaml_writing.check_target(path, kind)


def write(content: Mapping[str, Any], path: Path, kind: Kind = CALIBRATION) -> None:
    """Write a calibration or kernel priors, in place of an earlier file of that kind at most.

    Raises:
        InputError: the path cannot be written, or another kind of file stands there.
        MachineError: the disk is full.
    """
    yaml_writing.write_yaml(content, path, kind)
