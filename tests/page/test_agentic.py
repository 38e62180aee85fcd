"""The tab Agentic shows what the public function, the command line and the API give, and says where the cache ends."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import make_scenario, replay
from simulator.errors import InputError
from simulator.page.grid import Ask, Builder, cells, rounded
from simulator.page.priced import priced
from simulator.page.sessions import DURATION, played_of
from simulator.page.state import State, read_state
from simulator.page.tabs import TABS
from simulator.page.tabs.agentic import answer
from simulator.page.work import Work
from simulator.results.table import ResultTable, clean

FEW: dict[str, Any] = {"agentic_concurrency": [1, 2], "sweep": ["4:4"], "mtp": [0, 2]}
PLAIN = Work(intervals=False)


def rows_of(series: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(series["columns"], row, strict=True)) for row in series["rows"]]


@pytest.mark.parametrize(
    ("more", "stated"),
    [
        ({}, {}),
        ({"agentic_prefix_cache": "off", "cost_basis": "rental"}, {"prefix_cache": "off", "cost_basis": "rental"}),
        ({"agentic_host_cache_ratio": 1.5}, {"host_cache_ratio": 1.5}),
    ],
)
def test_numbers_are_those_of_the_public_function(more: dict[str, Any], stated: dict[str, Any]) -> None:
    state = read_state({**FEW, "acceptance": "length:2.2", **more})
    payload = answer(state, PLAIN)
    for series, mtp in zip(payload["series"], (0, 2), strict=True):
        drafts = {"mtp": mtp, "acceptance_length": 2.2} if mtp else {}
        found = replay(make_scenario(tp=4, **drafts), concurrency=[1, 2], duration=DURATION, intervals=False, **stated)
        assert rows_of(series) == clean(list(found.rows))


def test_intervals_come_with_the_numbers() -> None:
    payload = answer(read_state({**FEW, "mtp": [0], "agentic_concurrency": [1]}))
    row = rows_of(payload["series"][0])[0]
    assert row["total_tok_s_gpu_lo"] < row["total_tok_s_gpu"] < row["total_tok_s_gpu_hi"]
    assert payload["series"][0]["scope"]["word"] == "unmeasured"


def planted(rates: dict[int, float], ideal: float = 0.95) -> Work:
    """Replays of which nothing but hit rates and throughput matters."""
    real = replay(make_scenario(tp=4), concurrency=[1], duration="1min", intervals=False)
    rows = [
        {**real.rows[0], "concurrency": n, "hit_rate_gpu": rate, "hit_rate_ideal": ideal, "total_tok_s_gpu": 100.0 * n}
        for n, rate in rates.items()
    ]

    def replays(played: Any, intervals: bool) -> ResultTable:
        factor = 1.25 if played.series.mtp else 1.0
        own = tuple({**row, "total_tok_s_gpu": factor * row["total_tok_s_gpu"]} for row in rows)
        return ResultTable(real.meta, own)

    return Work(replays=replays, intervals=False)


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ({4: 0.95, 8: 0.94}, "up to 8 sessions the cache finds what there is to find: 94 % of 95 %"),
        ({4: 0.95, 8: 0.86, 16: 0.2}, "the cache holds 8 sessions and not 16: the hit rate falls from 86 % to 20 %"),
        ({1: 0.5, 8: 0.2}, "at 1 session the cache is already too small: it finds 50 %"),
    ],
)
def test_the_sentence_names_the_cliff(rates: dict[int, float], said: str) -> None:
    payload = answer(read_state(FEW), planted(rates))
    assert said in payload["sentences"][0]
    gains = ", ".join(f"+25 % at {n}" for n in rates)
    assert payload["sentences"][-1] == f"MI355X MTP 2 over Off, in tok/s/GPU at the same sessions: {gains}"


def test_what_cannot_be_is_left_out_or_refused() -> None:
    state = {**FEW, "mtp": [0], "hardware": ["mi355x", "l40s"], "agentic_concurrency": [1]}
    payload = answer(read_state(state), PLAIN)
    assert [one["hardware"] for one in payload["series"]] == ["mi355x"]
    assert payload["left_out"][0].startswith("L40S Off: ")
    with pytest.raises(InputError, match="--prefix-cache on"):
        answer(read_state({**FEW, "agentic_prefix_cache": "off", "agentic_host_cache_ratio": 2}), PLAIN)
    with pytest.raises(InputError, match="at most 8 series"):
        answer(read_state({**FEW, "hardware": ["mi355x", "b200"], "mtp": [0, 1, 2, 3, 4]}), PLAIN)
    for bad in ({"agentic_concurrency": [0]}, {"agentic_concurrency": [257]}, {"agentic_concurrency": [4, 4]}):
        with pytest.raises(InputError, match="agentic_concurrency"):
            read_state(bad)


def test_fixed_lengths_play_no_part() -> None:
    assert played_of(State(isl=8192, osl=512)) == played_of(State())


def test_prices_change_nothing_but_cost() -> None:
    found = replay(make_scenario(tp=4), concurrency=[1], duration="5min", intervals=False)
    other = replay(make_scenario(tp=4), concurrency=[1], duration="5min", intervals=False, cost_basis="neocloud")
    assert priced(ResultTable(found.meta, found.rows), "neocloud").rows == other.rows


def test_a_file_holds_the_answers_of_its_places() -> None:
    start = read_state({**FEW, "agentic_concurrency": [1]})
    cell = cells(Ask(start, precisions=("fp4",), engines=("sglang",), lengths=((1024, 1024),)))[0]
    assert cell.sessions
    builder = Builder(cell)
    builder.sessions()
    entries = builder.held.answers["agentic"]
    assert len({str(entry["where"]) for entry in entries}) == len(entries)
    for entry in entries[::17]:
        where = {k: v["any"][-1] if isinstance(v, dict) else v for k, v in entry["where"].items()}
        state = read_state({**start.changed(), **where})
        banded = "total_tok_s_gpu_lo" in builder.held.series[entry["series"][0]]["columns"]
        payload = rounded(TABS["agentic"].answer(state, Work(intervals=banded)))
        assert [builder.held.series[name]["rows"] for name in entry["series"]] == [
            one["rows"] for one in payload["series"]
        ]
        assert entry["sentences"] == payload["sentences"]
