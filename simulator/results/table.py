"""The result table: rows of named columns with units, and everything that went in, beside them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

UNITS: dict[str, str] = {
    "concurrency": "requests",
    "tp": "GPUs",
    "ep": "ranks",
    "dp": "ranks",
    "spec": "off|mtp",
    "spec_tokens": "tokens",
    "acceptance_length": "tokens/round",
    "isl": "tokens",
    "osl": "tokens",
    "total_tok_s_gpu": "tok/s/GPU",
    "output_tok_s_gpu": "tok/s/GPU",
    "interactivity_tok_s_user": "tok/s/user",
    "requests_per_s": "1/s",
    "cost_usd_per_mtok": "USD/M tokens",
    "tok_s_per_mw": "tok/s/MW",
    "hbm_used_gb": "GB/GPU",
    "decode_batch": "requests",
    "prefill_share": "fraction",
    "bound_by": "memory|compute|communication|floor|host",
} | {f"{stat}_{name}_ms": "ms" for stat in ("mean", "median", "p90", "p99") for name in ("tpot", "ttft", "e2e")}
"""Unit of every column; ``*_lo`` and ``*_hi`` are the ends of a 90 % interval in the same unit."""


@dataclass(frozen=True)
class ResultTable:
    """Rows and the inputs that made them. A value that does not exist is None, never a guess."""

    meta: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]

    def column(self, name: str) -> list[Any]:
        """One column in row order."""
        return [row.get(name) for row in self.rows]

    def to_json(self) -> str:
        """``{"meta": ..., "rows": [...]}``; not-a-number becomes null."""
        return to_json({"meta": self.meta, "rows": self.rows})

    def to_csv(self) -> str:
        """Rows as CSV, one header line."""
        return rows_to_csv(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Rows as a pandas DataFrame (needs ``pip install mtpsim[frames]``)."""
        import pandas

        return pandas.DataFrame([dict(row) for row in self.rows])


def to_json(content: Mapping[str, Any]) -> str:
    """A result block as strict JSON; not-a-number becomes null."""
    return json.dumps(clean(content), indent=1, allow_nan=False)


def rows_to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """CSV text of rows that may differ in their columns; a missing value is blank."""
    columns: dict[str, None] = {}
    for row in rows:
        columns.update(dict.fromkeys(row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(clean(list(rows)))
    return buffer.getvalue()


def clean(value: Any) -> Any:
    """Plain JSON types: mappings to dicts, sequences to lists, NaN and infinity to None, numpy scalars to Python's."""
    if isinstance(value, Mapping):
        return {str(k): clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
