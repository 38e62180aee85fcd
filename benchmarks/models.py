"""Print how well models are predicted that nothing was fitted to, kernels and shapes alone and with an engine's host.

python benchmarks/models.py            # some minutes on 2 cores
python benchmarks/models.py --markdown # the table of docs/accuracy.md
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from simulator import shipped_measurements
from simulator.fitting.fit import fit
from simulator.fitting.hosts import (
    KINDS,
    ODD,
    Together,
    hardware_of,
    left_out,
    log_errors,
    model_of,
    softened,
)
from simulator.measurements import read_csv
from simulator.measurements.cells import cells_of

Row = tuple[str, str, str, str, str]
FILES = {
    "ATOM on MI355X": "atom_models.csv",
    "vLLM on NVIDIA": "vllm_nvidia.csv",
    "TensorRT-LLM on NVIDIA": "trtllm_nvidia.csv",
    "others on NVIDIA": "nvidia_other.csv",
}
Found = Mapping[str, Sequence[float]]


def percents(found: Found, average: Callable[[Sequence[float]], float] = statistics.mean) -> str:
    """Throughput / TPOT / TTFT in percent of log errors; a dash where nothing was published."""
    off = {kind: [abs(math.expm1(error)) for error in errors] for kind, errors in found.items()}
    return " / ".join(f"{100 * average(off[kind]):.1f}" if off.get(kind) else "-" for kind in KINDS)


def table() -> Iterator[Row]:
    """One line per engine and model, then per accelerator where there are several, then all together."""
    for title, file in FILES.items():
        cells = cells_of(read_csv(shipped_measurements(file)).rows, allow_dequant=True)
        groupings = [of for of in (model_of, hardware_of) if len({of(cell) for cell in cells}) > 1]
        for of in groupings or [model_of]:
            held = left_out(cells, of) if groupings else {}
            for name in sorted({of(cell) for cell in cells}):
                members = [cell for cell in cells if of(cell) == name]
                yield _line(f"{title}: {name}", len(members), log_errors(members), held.get(name))
            if groupings:
                without = {kind: [e for found in held.values() for e in found.get(kind, [])] for kind in KINDS}
                left = "model" if of is model_of else "accelerator"
                yield _line(f"{title}: all, one {left} left out", len(cells), log_errors(cells), without)
        if groupings:
            found = fit(Together(softened(cells)), odd=ODD)
            yield _line(f"{title}: all, in sample", len(cells), log_errors(cells), log_errors(cells, found.x))


def _line(title: str, points: int, blind: Found, held: Found | None) -> Row:
    fitted = percents(held) if held else "-"
    return title, str(points), percents(blind), percents(blind, statistics.median), fitted


def gains() -> Iterator[tuple[str, str, str]]:
    """MTP over Off in output per user (TPOT), measured and predicted, of models whose runs state their acceptance."""
    cells = cells_of(read_csv(shipped_measurements(FILES["ATOM on MI355X"])).rows)
    tpot = {}
    problem = Together(cells)
    values = iter(zip(np.exp(problem.predict(problem.prior.mean)), np.exp(problem.y), strict=True))
    for cell in problem.cells:
        for observation in cell.observations:
            said, measured = next(values)
            if "tpot" in observation.metric:
                c = cell.configuration
                key = (model_of(cell), c.checkpoint, c.tp, c.isl, c.osl, c.concurrency)
                tpot[key, c.spec_tokens > 0] = said, measured
    for key, drafts in sorted(tpot):
        if drafts and (key, False) in tpot:
            off, on = tpot[key, False], tpot[key, True]
            model, _, tp, isl, osl, clients = key
            label = f"{model} TP{tp} {isl}/{osl}, {clients} clients"
            yield label, f"{100 * (off[1] / on[1] - 1):+.0f} %", f"{100 * (off[0] / on[0] - 1):+.0f} %"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--markdown", action="store_true", help="as in docs/accuracy.md")
    markdown = parser.parse_args().markdown
    heads: list[Sequence[str]] = [
        ("MAPE %, throughput / TPOT / TTFT", "curve points", "blind", "blind, median", "fitted to the others"),
        ("drafts over none, tokens per second and user", "measured", "predicted"),
    ]
    for head, rows in zip(heads, (table(), gains()), strict=True):
        lines = [head, *(("---",) * len(head) for _ in range(markdown)), *rows]
        for line in lines:
            print("| " + " | ".join(line) + " |" if markdown else "  ".join(f"{cell:40s}" for cell in line))
        print()


if __name__ == "__main__":
    main()
