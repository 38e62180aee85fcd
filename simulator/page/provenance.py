"""What stands behind a payload: version, calibration, method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.results import words

SHORT = 12
"""Digits of a hash that a page shows."""


def provenance(metas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Version and calibrations of some results, by their meta blocks."""
    calibrations = _all(metas, "calibration")
    hashes = [str(found)[:SHORT] for found in _all(metas, "calibration_hash") if found]
    return {
        "version": metas[0]["versions"]["mtpsim"] if "versions" in metas[0] else None,
        "calibration": ", ".join(map(str, calibrations)),
        "calibration_id": ", ".join(hashes) or None,
        "checkpoint": ", ".join(map(str, _all(metas, "checkpoint"))),
        "recipe": ", ".join(str(name or "none") for name in _all(metas, "recipe")),
    }


def _all(metas: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    known = [meta for meta in metas if key in meta or any(key in own for own in meta.get("scenarios", []))]
    return list(dict.fromkeys(value for meta in known for value in words.values(meta, key)))
