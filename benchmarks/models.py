"""Print how well models are predicted that nothing was fitted to, kernels and shapes alone and with an engine's host.

python benchmarks/models.py            # some minutes on 2 cores
python benchmarks/models.py --markdown # the table of docs/accuracy.md
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from joblib import Parallel, delayed

from simulator import shipped_measurements
from simulator.facts.identity import known_hardware, known_model
from simulator.fitting.fit import fit
from simulator.fitting.hosts import Array, Together, softened
from simulator.measurements import read_csv
from simulator.measurements.cells import Cell, cells_of

Row = tuple[str, str, str, str, str]
FILES = {
    "ATOM on MI355X": "atom_models.csv",
    "vLLM on NVIDIA": "vllm_nvidia.csv",
    "TensorRT-LLM on NVIDIA": "trtllm_nvidia.csv",
    "others on NVIDIA": "nvidia_other.csv",
}
KINDS = ("total_tok_s_gpu", "tpot", "ttft")
Found = dict[str, list[float]]


def errors(cells: Sequence[Cell], x: Array | None = None) -> Found:
    """Relative errors by kind: at the generic priors of the host, or at fitted coordinates ``x``."""
    problem = Together(cells)
    predicted = np.exp(problem.predict(problem.prior.mean if x is None else x))
    out: Found = defaultdict(list)
    values = iter(zip(predicted, np.exp(problem.y), strict=True))
    for cell in problem.cells:
        for observation in cell.observations:
            kind = next(kind for kind in KINDS if kind in observation.metric)
            said, measured = next(values)
            out[kind].append(abs(said / measured - 1.0))
    return out


def percents(found: Found, average: Callable[[list[float]], float] = statistics.mean) -> str:
    """Throughput / TPOT / TTFT in percent; a dash where nothing was published."""
    return " / ".join(f"{100 * average(found[kind]):.1f}" if found.get(kind) else "-" for kind in KINDS)


def without(cells: Sequence[Cell], kept: Sequence[Cell]) -> Found:
    """Errors of some cells with the host fitted to the others."""
    held = {id(cell) for cell in kept}
    found = fit(Together(softened(cell for cell in cells if id(cell) not in held)))
    return errors(kept, found.x)


def table() -> Iterator[Row]:
    """One line per engine and model, then per accelerator where there are several."""
    for title, file in FILES.items():
        cells = cells_of(read_csv(shipped_measurements(file)).rows, allow_dequant=True)
        groups: list[tuple[str, list[Cell]]] = []
        for of in (_model, _hardware):
            names = sorted({of(cell) for cell in cells})
            if len(names) > 1:
                groups += [(name, [cell for cell in cells if of(cell) == name]) for name in names]
        groups = groups or [(_model(cells[0]), cells)]
        blind = Parallel(n_jobs=2)(delayed(errors)(members) for _, members in groups)
        several = len({_model(cell) for cell in cells}) > 1
        held = Parallel(n_jobs=2)(delayed(without)(cells, members) for _, members in groups) if several else []
        for i, (name, members) in enumerate(groups):
            fitted = percents(held[i]) if held else "-"
            yield (
                f"{title}: {name}",
                str(len(members)),
                percents(blind[i]),
                percents(blind[i], statistics.median),
                fitted,
            )


def _model(cell: Cell) -> str:
    return known_model(cell.configuration.deployment.model)


def _hardware(cell: Cell) -> str:
    return known_hardware(cell.configuration.deployment.hardware)


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
                key = (_model(cell), c.checkpoint, c.tp, c.isl, c.osl, c.concurrency)
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
        ("MAPE %, throughput / TPOT / TTFT", "curve points", "blind", "blind, median", "host fitted to the others"),
        ("drafts over none, tokens per second and user", "measured", "predicted"),
    ]
    for head, rows in zip(heads, (table(), gains()), strict=True):
        lines = [head, *(("---",) * len(head) for _ in range(markdown)), *rows]
        for line in lines:
            print("| " + " | ".join(line) + " |" if markdown else "  ".join(f"{cell:40s}" for cell in line))
        print()


if __name__ == "__main__":
    main()
