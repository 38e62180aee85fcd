"""From kernel tables to a priors file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.cost.calibration import COST_MODEL
from simulator.cost.parameters import registry
from simulator.errors import InputError
from simulator.facts.hardware import Hardware
from simulator.facts.reading import load_hardware
from simulator.files.kinds import KERNEL_PRIORS
from simulator.files.paths import user_path
from simulator.fitting.kernels.classes import classes
from simulator.fitting.kernels.fit import Fitted, fit_class
from simulator.fitting.kernels.left_out import left_out
from simulator.fitting.kernels.table import KernelTable, read_table
from simulator.fitting.writing import write
from simulator.results.progress import Progress, silent
from simulator.results.table import Result


@dataclass(frozen=True)
class KernelFit(Result):
    """Kernel priors of one accelerator: what was fitted, and the content of the file.

    ``meta``: name, hardware, tables, and ``left_out``: why rows were not used -> how many.
    """

    meta: Mapping[str, Any]
    fits: tuple[Fitted, ...]
    content: dict[str, Any]

    def records(self) -> list[dict[str, Any]]:
        """One row per parameter: ``parameter, value, unit, sd, rows, source``; ``sd`` of the logarithm."""
        return [{"parameter": name, **fields} for name, fields in self.content["parameters"].items()]

    def document(self) -> dict[str, Any]:
        """The content of the priors file, and what was left out."""
        return {**self.content, "left_out": self.meta["left_out"]}

    def write(self, path: str | Path) -> None:
        """Write the priors file; it is whole or not there.

        Raises:
            InputError: not a ``.yaml`` path, or one that cannot be written.
        """
        write(self.content, user_path("-o", path), KERNEL_PRIORS)


def fit_kernels(
    tables: str | Path | Sequence[str | Path],
    hardware: str,
    *,
    name: str | None = None,
    progress: Progress = silent,
) -> KernelFit:
    """Fit the parameters of the cost model to kernel times of one accelerator; ``write(path)`` keeps the answer.

    Args:
        tables: paths of CSV files in the columns of ``kernels_nvidia_README.md`` and ``kernels_amd_README.md``.
        hardware: profile name or path of the accelerator.
        name: of the priors; None: that of the accelerator.
        progress: told what is being done.

    Raises:
        InputError: unreadable tables, faults in them, or no kernel that the cost model has.

    Example:
        >>> from simulator import fit_kernels, shipped_measurements
        >>> found = fit_kernels(shipped_measurements("kernels_nvidia_h200.csv"), "h200")
        >>> found.content["parameters"]["small.latency_us"]["value"] < 3
        True
    """
    paths = [tables] if isinstance(tables, str | Path) else list(tables)
    of = load_hardware(hardware)
    read = [read_table(path, of) for path in paths]
    rows = [row for table in read for row in table.rows]
    known: dict[str, float] = {}
    fits: list[Fitted] = []
    for kind in classes():
        chosen = kind.rows(rows)
        if chosen:
            progress(f"{kind.title} {kind.fmt}: {len(chosen)} rows")
        found = fit_class(kind, chosen, of, known, kind.others(rows))
        if found is not None:
            known.update(found.values)
            fits.append(found)
    if not fits:
        kinds = sorted({row.kernel for row in rows})
        raise InputError(
            f"{', '.join(map(str, paths))}: no kernel of the cost model; expected fused_moe, gemm, attention_decode, "
            f"attention_prefill, gdn_* or all_reduce with their shape, found {', '.join(kinds[:8])}"
        )
    content = _content(name or of.name, of, read, fits)
    unused = left_out(read, [row for fit in fits for row in fit.rows])
    meta = {"name": content["name"], "hardware": of.name, "tables": content["tables"], "left_out": unused}
    return KernelFit(meta, tuple(fits), content)


def _content(name: str, hardware: Hardware, tables: Sequence[KernelTable], fits: Sequence[Fitted]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for fit in fits:
        for parameter, value in fit.values.items():
            source = f"kernels: {fit.kind.title} {fit.kind.fmt}, {len(fit.rows)} rows"
            parameters[parameter] = _entry(parameter, value, fit.sd[parameter], len(fit.rows), source)
    if _includes_routing(fits):
        source = "kernels: the fused MoE has top-k, sorting and permutation in its time, so none is added"
        count = sum(len(fit.rows) for fit in fits if fit.kind.title == MOE)
        parameters["moe.prep_us"] = _entry(
            "moe.prep_us", NO_PREPARATION_US, registry()["moe.prep_us"].sd, count, source
        )
    known = [n for n in registry() if n in parameters]
    return {
        "name": name,
        "hardware": hardware.name,
        "cost_model": COST_MODEL,
        "tables": [
            {"file": Path(table.path).name, "sha256": table.sha256, "rows": len(table.rows)} for table in tables
        ],
        "fits": [_fit(fit) for fit in fits],
        "parameters": {n: parameters[n] for n in known},
        "tuned": _tuned(fits),
    }


MOE = "fused MoE"
NO_PREPARATION_US = 0.01


def _includes_routing(fits: Sequence[Fitted]) -> bool:
    """Whether the fused kernel was timed as the engine's runner calls it, sorting included: such a table says how
    tokens were routed, where a tuner's table has random tokens sorted beforehand."""
    rows = [row for fit in fits if fit.kind.title == MOE for row in fit.rows]
    return bool(rows) and all(row.words["distribution"] for row in rows)


def _tuned(fits: Sequence[Fitted]) -> list[dict[str, Any]]:
    """Experts that a tuner has been at: its table has the best kernel of each shape, and engines load it."""
    if _includes_routing(fits):
        return []
    found = {
        (fit.kind.fmt, int(row["hidden"]), int(row["experts"]))
        for fit in fits
        if fit.kind.title == MOE
        for row in fit.rows
    }
    return [{"format": fmt, "hidden": hidden, "experts": experts} for fmt, hidden, experts in sorted(found)]


def _entry(name: str, value: float, sd: float, rows: int, source: str) -> dict[str, Any]:
    return {
        "value": float(f"{value:.4g}"),
        "unit": registry()[name].unit,
        "sd": round(sd, 3),
        "rows": rows,
        "source": source,
    }


def _fit(fit: Fitted) -> dict[str, Any]:
    return {
        "operator": fit.kind.title,
        "format": fit.kind.fmt,
        "rows": len(fit.rows),
        "rms": round(fit.rms, 4),
        "bias": round(fit.bias, 4),
    }
