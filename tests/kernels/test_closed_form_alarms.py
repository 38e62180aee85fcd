"""Change alarms of both closed forms, in cases that have no exact answer.

The numbers of ``closed_forms.csv`` are what the forms gave; nothing says that they are right but the comparison with
the discrete events over a sweep (``tests/serving/test_closed_form.py``, ``tests/serving/test_fleet_theory.py``).
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from simulator import kernels as kn
from simulator.kernels.records import Costs
from tests.kernels.made_up import made_up

PRICES = {"one": 0.004, "token": 2e-4, "pair": 3e-7, "logit": 5e-5, "cached": 4e-7, "state": 1e-4, "expert": 6e-4}
HOST = {"host_step": 3e-3, "host_request": 2e-4, "host_prefill": 0.02, "host_draft": 1e-3, "launch": 0.05}
FRONT = {"delay": 0.03, "delay_token": 5e-6, "stream": 3e-4}
ROUTING = {"experts": 64.0, "top_k": 4.0, "skew": 0.5, "correlation": 0.4}
DRAFTS = {"verify": 4.0, "single_drafts": 2.0, "extend": 1.0, "states": 7.0, "reload": 0.5, "prefill_states": 1.0}
ENGINES = {
    "plain": {"states": 2.0, "prefill_states": 1.0, "split": 0.0, "chunk": 900.0},
    "shared": {"shared": 1.0, "lookahead": 1.0, "chunk": 700.0, **DRAFTS},
    "polled": {"poll": 6.0, "lookahead": 1.0, "chunk": 2000.0, **DRAFTS},
}
with Path(__file__).with_name("closed_forms.csv").open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))


def engine(name: str) -> Costs:
    return made_up(**{**PRICES, **HOST, **FRONT, **ROUTING, **ENGINES[name]})


def numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['form']} {row['engine']} {row['load']}")
def test_as_it_was(row: dict[str, str]) -> None:
    """Probabilities below 1e-12 count as none."""
    costs = engine(row["engine"])
    if row["form"] == "closed":
        out = kn.zero(kn.ClosedForm)
        kn.closed_form(costs.target, costs.draft, costs.constants, kn.Load(*numbers(row["load"])), out)
    else:
        out = kn.zero(kn.OpenForm)
        kn.open_form(costs.target, costs.draft, costs.constants, *numbers(row["load"]), out)
    assert out.tolist() == pytest.approx(numbers(row["expected"]), rel=1e-8, abs=1e-12)
