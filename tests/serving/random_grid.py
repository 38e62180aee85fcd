"""Random configurations far beyond what was measured, for comparing two ways to the same benchmark."""

from __future__ import annotations

import numpy as np

from simulator.errors import InputError
from simulator.serving.batch import Case
from simulator.serving.replica import build_replica
from simulator.serving.scenario import make_scenario


def random_cases(count: int, seed: int) -> list[Case]:
    """Input 128 to 32k, output 16 to 8k tokens, 1 to 512 clients, TP 1 to 8, depth 0 to 8, every engine and precision;
    what does not fit in memory at all is drawn again."""
    rng, cases = np.random.default_rng(seed), list[Case]()
    while len(cases) < count:
        isl, osl, clients = (int(2 ** rng.uniform(*ends)) for ends in ((7, 15), (4, 13), (0, 9)))
        tp, k, rate = int(rng.choice([1, 2, 4, 8])), int(rng.integers(0, 9)), float(rng.uniform(0.3, 0.95))
        engine, precision = str(rng.choice(["sglang", "atom", "vllm"])), str(rng.choice(["fp4", "fp8"]))
        try:
            s = make_scenario(
                isl=isl,
                osl=osl,
                tp=tp,
                mtp=k,
                engine=engine,
                precision=precision,
                acceptance_rate=rate if k else None,
            )
        except InputError:
            continue
        if s.max_concurrency >= 1:
            replica = build_replica(s.deployment, s.speculation, s.calibration.values())
            cases.append(Case(replica, s.workload, s.speculation, clients, s.max_concurrency, tp))
    return cases
