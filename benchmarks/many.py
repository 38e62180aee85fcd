"""Time a table of published checkpoints on many accelerators, each at eight concurrencies, by discrete events.

python benchmarks/many.py           # 74 checkpoints x 14 accelerators x 8 concurrencies
python benchmarks/many.py --quick   # a few of each, for a dry run

Each runs on the least GPUs that hold it; what eight do not hold is left out and counted. Kernels are compiled before
the clock starts. The last line compares one scenario with the same one predicted alone, bit by bit.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from joblib import Parallel, delayed

from simulator import InputError, Scenario, make_scenario, predict
from simulator.facts.reading import load_model, names

CHECKPOINTS, ACCELERATORS = 74, 14
CONCURRENCIES = (1, 2, 4, 8, 16, 32, 64, 128)
SIZES = (1, 2, 4, 8)
BATCHES = 8
"""Pieces of work per core, so that none waits long for the last."""

Case = tuple[str, str, str]
T = TypeVar("T")


def cases(checkpoints: int, accelerators: int) -> list[Case]:
    """Model, checkpoint and accelerator, spread evenly over what ships."""
    every = [(model, name) for model in names("model") for name in load_model(model).checkpoints]
    gpus = names("hardware")
    return [(*one, gpu) for one in _spread(every, checkpoints) for gpu in _spread(gpus, accelerators)]


def _spread(items: Sequence[T], count: int) -> Iterator[T]:
    if len(items) < count:
        raise SystemExit(f"expected at least {count} to choose from, found {len(items)}")
    return (items[i * len(items) // count] for i in range(count))


def fitting(case: Case) -> Scenario | None:
    """The scenario on the least GPUs that hold it; None: eight do not."""
    model, checkpoint, gpu = case
    for tp in SIZES:
        try:
            found = make_scenario(model=model, checkpoint=checkpoint, hardware=gpu, tp=tp, allow_dequant=True)
        except InputError:
            continue
        if found.memory.fits(1):
            return found
    return None


def rows(batch: Sequence[Case]) -> list[float | None]:
    """Throughput at each concurrency that fits, of each case; None for what does not fit at all."""
    out: list[float | None] = []
    for case in batch:
        scenario = fitting(case)
        if scenario is None:
            out += [None] * len(CONCURRENCIES)
            continue
        table = predict(scenario, CONCURRENCIES, intervals=False, over_memory="queue")
        out += table.column("total_tok_s_gpu")
    return out


def main() -> int:
    """Print how many, and how long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="3 checkpoints on 2 accelerators")
    quick = parser.parse_args().quick
    counts = (3, 2) if quick else (CHECKPOINTS, ACCELERATORS)
    cores = os.cpu_count() or 1
    work = cases(*counts)
    with Parallel(n_jobs=cores) as pool:
        pool(delayed(rows)(work[:1]) for _ in range(cores))
        start = time.perf_counter()
        size = max(1, len(work) // (BATCHES * cores))
        found = pool(delayed(rows)(work[i : i + size]) for i in range(0, len(work), size))
        seconds = time.perf_counter() - start
    values = [value for batch in found for value in batch]
    done = [value for value in values if value is not None]
    said = f"{counts[0]} checkpoints x {counts[1]} accelerators x {len(CONCURRENCIES)} concurrencies"
    print(f"{said}: {len(done)} points by discrete events in {seconds:.1f} s on {cores} cores")
    print(f"{len(values) - len(done)} left out: no eight of those accelerators hold the weights")
    first = next(case for case in work if fitting(case) is not None)
    alone = rows([first])
    same = alone == values[work.index(first) * len(CONCURRENCIES) :][: len(CONCURRENCIES)]
    print(f"{first[0]} {first[1]} on {first[2]} predicted alone: {'the same' if same else 'DIFFERENT'}")
    return 0 if same and all(value > 0.0 for value in done) else 1


if __name__ == "__main__":
    sys.exit(main())
