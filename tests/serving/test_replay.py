"""The replay of a real replica: the closed loop of ``predict`` where no prompt is shared and nobody thinks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import kernels as kn
from simulator import make_scenario
from simulator.serving.batch import draw_requests
from simulator.serving.prefix_cache import keeping
from simulator.serving.replay import Loop, recorded, rules_of
from simulator.serving.replica import build_replica
from simulator.traffic.sessions import Session, Sessions


def alone(prompt: int, output: int) -> Session:
    """A session of one request, whose blocks no other has."""
    one, none = np.zeros(1), np.zeros(0, np.int64)
    return Session(
        "alone",
        np.array([prompt]),
        np.array([output]),
        one,
        one.astype(np.int64),
        np.zeros(2, np.int64),
        none,
        np.zeros(0),
        np.array([0, 1]),
        np.zeros(1, np.int64),
        np.array([prompt // 64]),
    )


@pytest.mark.parametrize(
    "inputs",
    [
        {"tp": 4, "mtp": 3, "acceptance_length": 2.8, "isl": 8192},
        {"tp": 2, "engine": "vllm"},
        {"tp": 4, "engine": "atom", "mtp": 1, "acceptance_length": 1.7, "isl": 2048, "osl": 64},
    ],
)
@pytest.mark.parametrize("clients", [1, 24])
def test_unique_prompts_are_the_closed_loop_bit_for_bit(inputs: dict[str, Any], clients: int) -> None:
    scenario = make_scenario(**inputs)
    replica = build_replica(scenario.deployment, scenario.speculation, scenario.calibration.values())
    n, cap = 5 * clients, max(1, clients - 3)
    prompt, output, rounds = draw_requests(np.random.default_rng(0), scenario.workload, scenario.speculation, n)
    expected = kn.Requests(np.zeros(n), prompt, output, rounds, np.zeros(n), np.zeros(n))
    constants = replica.launched_for(clients)
    kn.serve(replica.target, replica.draft, constants, float(cap), expected, clients, kn.zero(kn.Counters))
    sessions = Sessions("unique", tuple(alone(int(p), int(o)) for p, o in zip(prompt, output, strict=True)), 64)
    keep = keeping(scenario.deployment, scenario.speculation.tokens, on=True)
    rules = rules_of(keep, Loop(clients, cap, 1e9), 64)
    rules.most = n
    found, entries, _plays = kn.replay(
        replica.target,
        replica.draft,
        constants,
        rules,
        recorded(sessions, 10.0)._replace(rounds=rounds),
        np.arange(n),
        np.full(clients, 0.5),
        kn.zero(kn.Counters),
        kn.zero(kn.Outcome),
    )
    assert len(entries) == n
    assert not entries["gpu"].any()
    for name in ("send", "first", "finish"):
        assert getattr(found, name)[:n].tolist() == getattr(expected, name).tolist()
