"""Capacity plans: the winner keeps its promises, the answer is complete and repeatable, bad input is refused."""

from __future__ import annotations

import importlib
import json
import math
import re
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from simulator.api import Acceptance, make_scenario
from simulator.cli.text.plan import headroom
from simulator.errors import InputError
from simulator.facts.reading import read_mapping
from simulator.planning.answer import Answer
from simulator.planning.ledger import Ledger, digest
from simulator.planning.options import make_options
from simulator.planning.plan import plan_fleet
from simulator.planning.sure_fleet import SureFleet
from simulator.planning.trials import Trials
from simulator.planning.winner import PoolWinner, Winner
from simulator.plots.drawing import draw
from simulator.prediction.simulate import PrefillPool, simulate_traffic
from simulator.results.progress import silent
from simulator.serving.delivered import summarise
from simulator.serving.pools import KV_BANDWIDTH
from simulator.traffic.arrivals import make_traffic
from simulator.traffic.lengths import parse_lengths
from simulator.traffic.promises import Promise, parse_promise

PROMISES = (parse_promise("ttft-p99=2s"), parse_promise("tpot-p95=25ms"))
LONG = parse_lengths("fixed", 8192, 1024)


def planned(promises: tuple[Promise, ...] = PROMISES, **options: Any) -> Answer:
    if "gpus" not in options:
        options.setdefault("rate", 40.0)
    return plan_fleet(make_scenario(tp=2, isl=8192, osl=1024), LONG, promises, **options)


@pytest.fixture(scope="module")
def answer() -> Answer:
    return planned()


def run_command(*arguments: str) -> tuple[int, str]:
    """A command of the command line, outside of the group, so that the test does not depend on its table."""
    module = importlib.import_module(f"simulator.cli.{arguments[0]}")
    command = getattr(module, arguments[0])
    assert isinstance(command, click.Command)
    result = CliRunner().invoke(command, list(arguments[1:]))
    if isinstance(result.exception, InputError):
        return 2, str(result.exception)
    return result.exit_code, result.output


def without_mtp(folder: Path, name: str = "plain") -> str:
    """The shipped model without its MTP layers, as a file."""
    model = read_mapping("model", "qwen3.5-397b-a17b") | {"name": name, "draft": None}
    model.pop("default_acceptance")
    (folder / "plain.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    return str(folder / "plain.yaml")


def test_the_winner_keeps_its_promises_with_ten_other_seeds(answer: Answer) -> None:
    w = answer.winner
    assert w is not None
    scenario = make_scenario(tp=w.kind.tp, mtp=w.kind.spec_tokens, isl=8192, osl=1024)
    assert scenario.speculation.acceptance_length == w.kind.acceptance_length
    assert w.sure.confident
    good = 0
    for seed in range(100, 110):
        result = simulate_traffic(
            scenario,
            make_traffic(40.0, LONG),
            replicas=w.replicas,
            max_running=w.kind.max_running,
            promises=PROMISES,
            seed=seed,
        )
        good += all(entry["kept"] for entry in result.figures["promises"])
    assert good >= 9


def test_one_replica_less_than_the_gamble_breaks_a_promise(answer: Answer) -> None:
    w = planned(confidence=0.0).winner
    assert w is not None
    assert answer.winner is not None
    assert answer.winner.gamble is not None
    assert w.gamble is None
    assert (w.name, w.gpus, w.sure.probability) == (
        answer.winner.gamble.name,
        answer.winner.gamble.gpus,
        answer.winner.gamble.probability,
    )
    result = simulate_traffic(
        make_scenario(tp=w.kind.tp, mtp=w.kind.spec_tokens, isl=8192, osl=1024),
        make_traffic(40.0, LONG),
        replicas=w.replicas - 1,
        max_running=w.kind.max_running,
        promises=PROMISES,
        seed=100,
    )
    assert not all(entry["kept"] for entry in result.figures["promises"])


def test_the_answer_is_complete(answer: Answer) -> None:
    w = answer.winner
    assert w is not None
    assert w.gpus == w.replicas * w.kind.tp
    assert w.gamble is not None
    assert w.gamble.gpus <= min(r.gpus for r in answer.runners_up if r.gpus)
    assert w.cost.usd_per_hour == pytest.approx(w.gpus * 1.48)
    assert w.cost.cost_basis == "hyperscaler"
    assert w.cost.power_mw == pytest.approx(w.gpus * 2.65e-3)
    assert w.cost.all_in_kw_per_gpu == 2.65
    assert w.cost.cost_usd_per_mtok == pytest.approx(w.cost.usd_per_hour / (40 * (8192 + 1024) * 3600 / 1e6))
    assert w.fleet.headroom_to_knee > 0
    assert 0 <= w.sure.probability <= min(p.probability for p in w.sure.promises)
    for p in w.sure.promises:
        assert p.reached_ms_lo < p.reached_ms_hi
        assert p.kept
    assert len(answer.runners_up) >= 5
    assert all(r.fails for r in answer.runners_up)
    everything = json.loads(answer.to_json())
    assert everything["winner"]["gpus"] == w.gpus
    assert everything["meta"]["calibration"] == "sglang-mi355x-fp4-2026-09"
    assert everything["meta"]["outside_calibration"]


def test_same_seed_same_plan() -> None:
    assert planned(rate=5.0, tp=(2,), depths=(0, 3)).to_json() == planned(rate=5.0, tp=(2,), depths=(0, 3)).to_json()


def test_more_confidence_takes_more_gpus() -> None:
    found = []
    for confidence in (0.0, 50.0, 95.0, 99.0):
        w = planned(confidence=confidence, tp=(2,), depths=(3,)).winner
        assert w is not None
        assert w.sure.probability >= confidence / 100
        assert w.sure.confidence == confidence / 100
        found.append(w.gpus)
    assert found == sorted(found)
    assert found[0] < found[2]


def test_one_replica_less_than_the_winner_is_less_sure(answer: Answer) -> None:
    w = answer.winner
    assert w is not None
    (option,), _ = make_options(
        make_scenario(tp=2, isl=8192), LONG, Acceptance(), tp=[w.kind.tp], ep=[1], depths=[w.kind.spec_tokens]
    )
    trials = Trials(make_traffic(40.0, LONG), PROMISES, "least-outstanding", 0, Ledger(None, {}), silent)
    here, less = (SureFleet.of(option, n, trials, 40.0) for n in (w.replicas, w.replicas - 1))
    assert here.margin.probability == w.sure.probability >= 0.95 > less.margin.probability


@pytest.mark.parametrize("sizes", [{"tp": [4, -1]}, {"tp": [0]}, {"ep": [0]}, {"tp": [2.5]}])
def test_sizes_of_a_replica_are_whole_numbers(sizes: dict[str, Any]) -> None:
    (option,) = sizes
    with pytest.raises(InputError, match=f"--{option}: expected a whole number from 1"):
        make_options(make_scenario(tp=2), LONG, Acceptance(), depths=[0], **({"tp": [2], "ep": [1]} | sizes))


def test_a_confidence_that_no_size_reaches_leaves_the_gamble_and_exit_status_3() -> None:
    """A limit on the TTFT of a request alone, which more replicas do not lower, but the noise breaks."""
    asked = ("plan", "--rate", "1", "--isl", "8192", "--osl", "1024", "--tp", "8", "--mtp", "0", "--format", "json")
    status, text = run_command(*asked, "--ttft-p99", "2s")
    assert status == 0
    (one,) = json.loads(text)["winner"]["promises"]
    status, text = run_command(*asked, "--ttft-p99", f"{1.02 * one['reached_ms']:.1f}ms")
    assert status == 3
    found = json.loads(text)["winner"]
    assert found["gamble"] is None
    assert 0.05 < found["probability_all_hold"] < found["confidence"] == 0.95


@pytest.mark.parametrize("name", ["plain", "qwen3.5-397b-a17b"])
def test_a_model_without_mtp_is_planned_with_the_default_depths(tmp_path: Path, name: str) -> None:
    """Also where a calibration of that name has an acceptance."""
    file = without_mtp(tmp_path, name)
    text = ("plan", "--model", file, "--rate", "1", "--ttft-p99", "5s", "--tp", "4", "--format", "json")
    status, printed = run_command(*text)
    assert status == 0, printed
    found = json.loads(printed)
    assert found["winner"]["spec_tokens"] == 0
    assert sum("has no MTP layer" in reason for reason in found["left_out"]) == 3


def test_a_plan_takes_no_option_that_it_would_ignore() -> None:
    for option in ("--ep", "--dp"):
        status, text = run_command("plan", "--rate", "1", "--ttft-p99", "2s", option, "2")
        assert status == 2
        assert text.startswith(f"{option}: ")
    status, text = run_command("plan", "--rate", "1", "--ttft-p99", "2s", "--lengths", "fixed", "--range-ratio", "1")
    assert status == 2


@pytest.mark.parametrize(
    ("percent", "words"),
    [(-10.2, "10 % below the planned"), (0.2, "at the planned rate"), (48.4, "48 % above the")],
)
def test_a_knee_is_above_at_or_below_the_planned_rate(percent: float, words: str) -> None:
    assert headroom(percent).startswith(words)


def test_bars_count_the_spares_that_their_labels_name() -> None:
    found = planned(rate=5.0, tp=(2,), depths=(0, 3), spare=1)
    axes = draw(found).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    lengths = [bar.get_width() for bar in axes.patches]
    assert len(labels) == len(lengths) == 2
    for label, length in zip(labels, lengths, strict=True):
        replicas, spare = re.fullmatch(r"(\d+) \+ (\d+) spare x TP2 .*", label).groups()
        assert length == 2 * (int(replicas) + int(spare))


def test_spares_cost_and_change_nothing_else() -> None:
    w, spare = (planned(rate=5.0, tp=(2,), depths=(3,), spare=n).winner for n in (0, 1))
    assert spare is not None
    assert w is not None
    assert spare.replicas == w.replicas
    assert spare.gpus == w.gpus + w.kind.tp
    assert spare.cost.usd_per_hour > w.cost.usd_per_hour


def test_without_mtp_it_takes_more_and_a_tighter_promise_costs_more() -> None:
    w = planned(tp=(2,), depths=(3,)).winner
    off = planned(tp=(2,), depths=(0,)).winner
    tight = planned((PROMISES[0], parse_promise("tpot-p95=10ms")), tp=(2,), depths=(3,)).winner
    assert w is not None
    assert off is not None
    assert tight is not None
    assert off.gpus > w.gpus
    assert tight.gpus > w.gpus


def test_more_rate_needs_no_fewer_gpus() -> None:
    needed = []
    for rate in (5.0, 10.0, 20.0, 40.0):
        w = planned(rate=rate, tp=(2, 4), depths=(3,)).winner
        assert w is not None
        needed.append(w.gpus)
    assert needed == sorted(needed)


def test_fixed_gpus_serve_the_highest_rate_and_a_frontier() -> None:
    fixed = planned(gpus=16, tp=(2, 4), depths=(0, 3))
    w = fixed.winner
    assert w is not None
    assert w.gpus == 16
    rates = [point.rate_per_s for point in fixed.frontier]
    tpots = [point.reached_ms["tpot-p95"] for point in fixed.frontier if point.state == "stable"]
    assert rates == sorted(rates)
    assert tpots == sorted(tpots)
    assert fixed.frontier[-1].rate_per_s > w.rate_per_s
    assert not fixed.frontier[-1].kept
    assert w.gamble is not None
    assert all((r.rate_per_s or 0) <= w.gamble.rate_per_s for r in fixed.runners_up if r.gpus)
    assert w.sure.confident
    assert w.gamble.rate_per_s > w.rate_per_s
    assert w.gamble.probability < 0.95
    # and the other question has the same answer
    back = planned(rate=0.97 * w.rate_per_s, tp=(2, 4), depths=(0, 3)).winner
    assert back is not None
    assert back.gpus <= 16


def test_impossible_promises_are_named_with_the_nearest_possible() -> None:
    none = planned((parse_promise("tpot-p95=3ms"),), tp=(2, 4), depths=(0, 3))
    assert none.winner is None
    (entry,) = none.impossible
    assert entry.promise == "tpot-p95"
    assert entry.nearest_ms > 3.0
    assert entry.over == pytest.approx(entry.nearest_ms / 3.0 - 1)
    # the nearest possible is possible
    near = Promise("tpot", 95, 1.05e-3 * entry.nearest_ms)
    assert planned((near,), rate=1.0, tp=(2, 4), depths=(0, 3)).winner is not None


def test_a_promise_below_a_single_step() -> None:
    with pytest.raises(InputError, match=r"--ttft-p99: 100 ms is impossible with every option.*% more"):
        planned((parse_promise("ttft-p99=100ms"),))
    with pytest.raises(InputError, match="below the time of a single decode step"):
        simulate_traffic(make_scenario(tp=4), make_traffic(1.0, LONG), promises=(parse_promise("tpot-p95=1ms"),))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "--rate"),
        ({"rate": -3.0}, "--rate"),
        ({"rate": math.nan}, "--rate"),
        ({"rate": 1.0, "gpus": 8}, "found both"),
        ({"gpus": 0}, "--gpus"),
        ({"spare": -1}, "--spare"),
        ({"seed": -1}, "--seed"),
        ({"router": "random"}, "unknown router"),
        ({"cost_basis": "free"}, "unknown cost basis"),
        ({"max_running": 0}, "--max-running"),
        ({"confidence": 100.0}, "--confidence"),
        ({"confidence": -1.0}, "--confidence"),
        ({"cv": 99.0}, "--cv"),
        ({"tp": (3,)}, "no deployment is possible"),
        ({"promises": ()}, "at least one promise"),
        ({"promises": (PROMISES[0], PROMISES[0])}, "promised twice"),
    ],
    ids=str,
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        planned(**options)


def test_an_interrupted_plan_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plan.jsonl"
    options: dict[str, Any] = {"rate": 5.0, "tp": (2,), "depths": (0, 3)}
    told: list[str] = []
    first = planned(resume=str(file), progress=told.append, **options)
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:4]) + '\n{"key": "half a li')
    again: list[str] = []
    second = planned(resume=str(file), progress=again.append, **options)
    assert second.to_json() == first.to_json()
    assert 0 < len(again) < len(told)
    assert file.read_text().splitlines() == lines
    with monkeypatch.context() as patched:  # a complete plan is resumed without a trial or a draw
        patched.setattr("simulator.planning.trials.run_fleet", None)
        patched.setattr("simulator.planning.sure_fleet.fleet_odds", None)
        assert planned(resume=str(file), **options).to_json() == first.to_json()
    assert file.read_text().splitlines() == lines
    with pytest.raises(InputError, match="other inputs"):
        planned(resume=str(file), seed=1, **options)
    with pytest.raises(InputError, match="other inputs"):
        planned(resume=str(file), acceptance=Acceptance(rate=0.9), **options)


def test_a_ledger_of_version_0_1_0_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first line says less of the inputs, and its lines have no check sums and no margins."""
    file = tmp_path / "plan.jsonl"
    options: dict[str, Any] = {"rate": 5.0, "tp": (2,), "depths": (0,)}
    first = planned(resume=str(file), **options)
    label, *lines = (json.loads(line) for line in file.read_text().splitlines())
    labels: list[str] = []
    monkeypatch.setattr("simulator.planning.ledger.digest", lambda inputs: labels.append(digest(inputs)) or labels[-1])
    planned(**options)
    assert labels[0] == label["plan"]
    kept = [{"key": one["key"], "outcome": one["outcome"]} for one in lines if "state" in one["outcome"]]
    file.write_text("".join(json.dumps(one) + "\n" for one in [{"plan": labels[1]}, *kept]))
    monkeypatch.setattr("simulator.planning.trials.run_fleet", None)
    assert planned(resume=str(file), **options).to_json() == first.to_json()
    assert len(file.read_text().splitlines()) == 1 + len(lines)


def test_a_file_that_is_no_ledger_stays(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"--resume .*rows.csv: found a file that begins with 'a,b'; expected what"):
        planned(resume=str(file), rate=5.0, tp=(2,), depths=(0,))
    assert file.read_text() == "a,b\n1,2\n"


def test_plan_command() -> None:
    common = ("plan", "--rate", "5", "--isl", "8192", "--osl", "1024", "--tp", "2,4", "--mtp", "0,3")
    status, text = run_command(*common, "--ttft-p99", "2s", "--tpot-p95=25ms")
    assert status == 0
    for words in ("GPUs", "90 % interval", "Runners-up", "hyperscaler", "all-in", "probability", "calibration"):
        assert words in text
    status, text = run_command(*common, "--ttft-p99", "2s", "--tpot-p95", "25ms", "--format", "json")
    assert status == 0
    assert json.loads(text)["winner"]["gpus"] > 0
    for bad, message in (
        (("--ttft-p99", "2"), "without a unit"),
        (("--ttft-p101", "2s"), "percentile"),
        (("--tpot-p95", "25msec"), "unknown unit"),
        (("--ttft-p99",), "found none"),
    ):
        status, text = run_command(*common, *bad)
        assert status == 2
        assert message in text


def test_simulate_command(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,input_tokens,output_tokens\n" + "".join(f"{i},1000,100\n" for i in range(200)))
    rows, picture = tmp_path / "rows.csv", tmp_path / "p.png"
    files = ("--trace", str(trace), "--requests", str(rows), "--plot", str(picture))
    status, text = run_command("simulate", *files, "--tp", "4", "--ttft-p99", "2s")
    assert status == 0, text
    assert "ttft-p99" in text
    table = rows.read_text().splitlines()
    assert len(table) == 201
    assert table[0] == "request,replica,arrival_s,input_tokens,output_tokens,rounds,ttft_ms,tpot_ms,e2e_ms"
    assert picture.read_bytes().startswith(b"\x89PNG")
    status, text = run_command("simulate", "--rate", "100", "--tp", "4", "--isl", "8192", "--duration", "5min")
    assert status == 0
    for limit, expected in (("ttft-p99=20s", 0), ("ttft-p99=450ms", 3)):
        asked = ("simulate", "--rate", "2", "--tp", "4", "--isl", "8192", "--duration", "20min", "--promise", limit)
        status, told = run_command(*asked)
        assert status == expected
        assert ("BROKEN" in told) == (expected == 3)
        assert "90 % interval" in told
        assert "holds with" in told
    assert "SATURATED" in text
    assert "TPOT" not in text
    status, text = run_command("simulate", "--rate", "1", "--tp", "4", "--format", "json", "--duration", "20min")
    assert json.loads(text)["figures"]["state"] == "stable"
    for bad in (("--rate", "0"), ("--rate", "1", "--replicas", "0"), ("--rate", "1", "--max-running", "99999"), ()):
        status, text = run_command("simulate", "--tp", "4", *bad)
        assert status == 2
        assert "--" in text


def test_goodput_counts_requests_within_all_limits() -> None:
    scenario = make_scenario(tp=4, isl=8192)
    traffic = make_traffic(3.0, LONG, duration=1200.0)
    result = simulate_traffic(scenario, traffic, promises=(parse_promise("ttft-p50=400ms"),))
    inside = result.run.requests.send >= 120.0
    share = float((result.run.ttft()[inside] <= 0.4).mean())
    assert result.figures["goodput_share"] == pytest.approx(share)
    again = summarise(result.fleet, result.run, traffic)
    assert again.ttft.p99 == pytest.approx(np.percentile(result.run.ttft()[inside], 99) * 1e3)


def test_pools_compete_and_their_winner_keeps_its_promises() -> None:
    options: dict[str, Any] = {"rate": 20.0, "tp": (2, 4), "depths": (0, 3), "confidence": 0.0}
    alone = planned(**options).winner
    both = planned(kv_bandwidth=KV_BANDWIDTH, **options)
    w = both.winner
    assert isinstance(alone, Winner)
    assert isinstance(w, PoolWinner)
    assert w.gpus < alone.gpus
    assert w.gpus == w.prefill.replicas * w.prefill.kind.tp + w.decode.replicas * w.decode.kind.tp
    assert w.as_row()["scope"] == "unmeasured"
    # the fleet that would have won is a runner-up, with how sure it was
    assert both.runners_up[0].fleet == alone.fleet
    assert both.runners_up[0].sure == alone.sure
    labels = [label.get_text() for label in draw(both).axes[0].get_yticklabels()]
    assert labels[0] == f"{w.prefill.replicas} x TP{w.prefill.kind.tp} prefill\n+ {w.replicas} x {w.kind.name} decode"
    assert labels[1] == f"{alone.replicas} x {alone.name}"
    good = 0
    for seed in range(200, 210):
        result = simulate_traffic(
            make_scenario(tp=w.kind.tp, mtp=w.kind.spec_tokens, isl=8192, osl=1024),
            make_traffic(20.0, LONG),
            replicas=w.replicas,
            max_running=w.kind.max_running,
            prefill=PrefillPool(w.prefill.kind.tp, w.prefill.replicas),
            promises=PROMISES,
            seed=seed,
        )
        assert result.figures["gpus"] == w.gpus
        good += all(entry["kept"] for entry in result.figures["promises"])
    assert good >= 9
    with pytest.raises(InputError, match="--pools: expected with --rate"):
        planned(gpus=8, kv_bandwidth=KV_BANDWIDTH)
    with pytest.raises(InputError, match="--kv-bandwidth"):
        planned(rate=1.0, kv_bandwidth=0.0)


@pytest.mark.parametrize(
    ("prefill", "limit", "message"),
    [
        (PrefillPool(2, 0), None, "--prefill-replicas"),
        (PrefillPool(0, 1), None, "--prefill-tp"),
        (PrefillPool(3, 1), None, "tp 3"),
        (PrefillPool(2, 1, -1.0), None, "--kv-bandwidth"),
        (PrefillPool(2, 1), 5, "--queue-limit"),
    ],
    ids=str,
)
def test_bad_pools(prefill: PrefillPool, limit: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_traffic(make_scenario(tp=2), make_traffic(1.0, LONG), prefill=prefill, queue_limit=limit)
