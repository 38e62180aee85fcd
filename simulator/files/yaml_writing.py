"""YAML files of the program's own: what :mod:`simulator.files.yaml_reading` reads, no anchors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from simulator.errors import InputError
from simulator.files.kinds import Kind
from simulator.files.writing import check_place, write_file
from simulator.files.yaml_scalars import DECIMAL


class _Plain(yaml.SafeDumper):
    """Text like ``1e5`` in quotes, and nothing repeated by an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Plain.add_implicit_resolver("tag:yaml.org,2002:float", DECIMAL, list("-+.0123456789"))


def to_yaml(content: Mapping[str, Any]) -> str:
    """Block style outside, flow style for leaves."""
    options: dict[str, Any] = {"default_flow_style": None, "width": 120, "allow_unicode": True}
    return str(yaml.dump(dict(content), Dumper=_Plain, sort_keys=False, **options))


def check_target(path: Path, kind: Kind) -> None:
    """Refuse an output path that cannot be written, before any work is done.

    Raises:
        InputError: not a .yaml file, a folder that is missing or not writable, or another kind of file stands there.
        MachineError: the disk is full.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"-o {path}: expected a file that ends in .yaml")
    check_place("-o", path, kind)


def write_yaml(content: Mapping[str, Any], path: Path, kind: Kind) -> None:
    """Write a mapping, in place of an earlier file of its kind at most.

    Raises:
        InputError: the path cannot be written, or another kind of file stands there.
        MachineError: the disk is full.
    """
    check_target(path, kind)
    write_file("-o", path, kind, to_yaml(content))
