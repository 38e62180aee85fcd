"""Traffic chooses its calibration by its own lengths, and the acceptance that belongs to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import Acceptance, load_calibration, make_scenario, plan, simulate
from simulator.cost.calibration import default_calibration, mismatches
from simulator.facts.reading import names
from simulator.serving.scenario import for_lengths

HEADER = "arrival_s,input_tokens,output_tokens\n"


def trace(folder: Path, prompt: int) -> str:
    file = folder / f"trace{prompt}.csv"
    file.write_text(HEADER + "".join(f"{i},{prompt + i},64\n" for i in range(30)), encoding="utf-8")
    return str(file)


def pairs(folder: Path, prompt: int) -> str:
    file = folder / f"pairs{prompt}.csv"
    file.write_text("input_tokens,output_tokens\n" + f"{prompt},64\n" * 3, encoding="utf-8")
    return f"empirical:{file}"


def test_the_nearest_input_length_by_ratio_wins() -> None:
    deployment = make_scenario(tp=2).deployment
    matching = [c for c in map(load_calibration, names("calibration")) if c.data and not mismatches(c, deployment)]
    assert len({n for c in matching for n in c.scope.isl}) > 1
    for isl in (64, 1024, 2000, 4000, 8192, 100_000):
        chosen = default_calibration(deployment, isl)

        def away(scope: list[int], isl: int = isl) -> float:
            return min(max(n / isl, isl / n) for n in scope)

        assert away(list(chosen.scope.isl)) == min(away(list(c.scope.isl)) for c in matching)


@pytest.mark.parametrize("prompt", [900, 8000])
def test_a_trace_and_a_list_of_lengths_choose_theirs(tmp_path: Path, prompt: int) -> None:
    expected = make_scenario(tp=2, isl=1024 if prompt < 1000 else 8192)
    base = make_scenario(tp=2, mtp=3)
    for found in (
        simulate(base, trace=trace(tmp_path, prompt)),
        simulate(base, rate=1.0, duration="1min", lengths=pairs(tmp_path, prompt)),
    ):
        assert found.meta["calibration"] == expected.calibration.name
        fitted = expected.calibration.acceptance
        assert fitted is not None
        assert found.meta["acceptance_length"] == pytest.approx(fitted.length)
    planned = plan(base, rate=1.0, promises=["ttft-p99=20s"], lengths=pairs(tmp_path, prompt), tp=(2,), mtp=(0,))
    assert planned.meta["calibration"] == expected.calibration.name


def test_what_the_user_named_stays() -> None:
    named = make_scenario(tp=2, mtp=3, calibration="inferencex-mi355x-fp4-1k1k")
    assert for_lengths(named, 8192) is named
    stated = for_lengths(make_scenario(tp=2, mtp=3, acceptance_length=2.2), 8192)
    assert stated.stated == Acceptance(length=2.2)
    assert stated.calibration.name != named.calibration.name
    assert stated.speculation.acceptance_length == pytest.approx(2.2)
