"""Rows as configurations, and the curves and sweeps they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.measurements import MeasuredPoint
from simulator.measurements.configuration import Configuration


@dataclass(frozen=True)
class Known:
    """A measured row that the profiles know; ``index`` is its position among all rows of the report."""

    index: int
    row: MeasuredPoint
    configuration: Configuration

    @property
    def curve(self) -> Configuration:
        """The configuration without its concurrency, which is 0."""
        return replace(self.configuration, concurrency=0)

    @property
    def sweep(self) -> tuple[object, ...]:
        """The rows that were measured together: one curve, day, image and file."""
        return (self.curve, self.row.date, self.row.engine_version, self.row.source, self.row.file)


def label(row: MeasuredPoint) -> str:
    """A curve in words: ``ATOM MI355X FP8 8192/1024 TP4 MTP 3``."""
    extra = f" EP{row.ep}" if row.ep and row.ep > 1 else ""
    extra += " DP" if row.dp_attention else ""
    spec = "Off" if row.spec == "off" else f"MTP {row.spec_tokens}" if row.spec_tokens else "MTP"
    stated = f" AL {row.acceptance_length:g}" if row.acceptance_length is not None else ""
    return f"{row.engine} {row.hardware} {row.precision} {row.isl}/{row.osl} TP{row.tp}{extra} {spec}{stated}"
