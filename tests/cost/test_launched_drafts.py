"""Draft passes whose kernels are launched one by one: the longer of the launches and of the device's own time."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import kernels as kn
from simulator.cost.explain import explain_round
from simulator.facts.deployment import Deployment
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.serving.replica import build_replica
from simulator.speculation.acceptance import OFF, from_length
from tests.cost.hand import PARAMETERS

MTP = from_length(2.8, 3)
# projection; attention's three and four small ones; router, sorting, experts, six small ones and the shared expert's
# two; two all-reduces; the head and the gathering of its logits
LAUNCHES = 1 + (3 + 4) + (3 + 6 + 2) + 2 + 2


def deploy(graphs: bool, engine: str = "sglang", **changes: Any) -> Deployment:
    made = load_engine(engine).model_copy(update={"draft_graphs": graphs, "fused_shared_expert": False})
    base = {"hardware": load_hardware("mi355x"), "model": load_model("qwen3.5-397b-a17b"), "checkpoint": "mxfp4"}
    return Deployment.model_validate({**base, "engine": made, "tp": 2, **changes})


@pytest.mark.parametrize("engine", ["sglang", "atom", "vllm"])
@pytest.mark.parametrize("launch", [0.1, 5.0, 65.0])
@pytest.mark.parametrize("batch", [1, 40, 64, 300])
def test_the_kernels_wait_for_launches_as_the_account_does(engine: str, launch: float, batch: int) -> None:
    parameters = PARAMETERS | {"host.launch_us": launch}
    deployment = deploy(False, engine)
    plan = build_replica(deployment, MTP, parameters)
    kernel = kn.round_time(plan.target, plan.draft, plan.constants, float(batch), batch * 2000.0)
    assert kernel == pytest.approx(explain_round(deployment, MTP, parameters, batch, 2000).seconds, rel=1e-12)


def test_launches_of_three_passes_by_hand() -> None:
    """At 65 us a launch all three wait for the host, whatever the device does meanwhile."""
    launched, replayed = (explain_round(deploy(graphs), MTP, PARAMETERS, 4, 1000) for graphs in (False, True))
    passes = [sum(row.seconds for row in rows) for name, rows in launched.groups().items() if name.startswith("draft")]
    host = (300 + 6 * 4 + 70 * 3) * 1e-6
    assert len(passes) == 3
    assert max(passes) < 65e-6 * LAUNCHES
    waited = 3 * 65e-6 * LAUNCHES - sum(passes)
    assert launched.seconds - launched.device_seconds == pytest.approx(host + waited, rel=1e-12)
    assert replayed.seconds - replayed.device_seconds == pytest.approx(host, rel=1e-9)
    assert launched.device_seconds == replayed.device_seconds


def test_quick_launches_hide_behind_the_device() -> None:
    parameters = PARAMETERS | {"host.launch_us": 0.1}
    launched, replayed = (explain_round(deploy(graphs), MTP, parameters, 64, 1000) for graphs in (False, True))
    assert launched.seconds == replayed.seconds


def test_plain_decode_launches_no_drafts() -> None:
    launched, replayed = (explain_round(deploy(graphs), OFF, PARAMETERS, 4, 1000) for graphs in (False, True))
    assert launched.seconds == replayed.seconds
    assert build_replica(deploy(False), OFF, PARAMETERS).constants.draft_launch == 0.0
    assert build_replica(deploy(True), MTP, PARAMETERS).constants.draft_launch == 0.0
    assert build_replica(deploy(False), MTP, PARAMETERS).constants.draft_launch == pytest.approx(65e-6 * LAUNCHES)
