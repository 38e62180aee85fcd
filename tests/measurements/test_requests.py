"""The number of requests of a run, from its token totals: published runs are the oracle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator import shipped_measurements
from simulator.measurements import MeasuredPoint, read_csv
from simulator.measurements.configuration import configuration
from simulator.measurements.requests import DEFAULT_REQUESTS, EXACT, requests_per_client, shown_requests, token_ratio

R1 = Path(__file__).parents[1] / "fitting" / "data" / "dsr1_atom_mi355x.csv"


def published(row: MeasuredPoint) -> float:
    assert row.total_tok_s_gpu is not None
    assert row.output_tok_s_gpu is not None
    return row.total_tok_s_gpu / row.output_tok_s_gpu - 1.0


def test_runs_of_2025_sent_50_requests_per_client_and_20_where_outputs_are_long() -> None:
    rows = read_csv(R1).points
    assert len(rows) == 18
    assert {(row.osl, requests_per_client(row)) for row in rows} == {(1024, 50), (8192, 20)}


@pytest.mark.parametrize(("name", "digits"), [("atom_mi355x_tp4.csv", 3e-5), ("sglang_mi355x_8k1k.csv", 4e-4)])
def test_shipped_runs_sent_10_requests_per_client(name: str, digits: float) -> None:
    """As far as their printed digits tell; where prompts begin with a further token, totals count it too."""
    rows = [row for row in read_csv(shipped_measurements(name)).points if row.output_tok_s_gpu and row.spec == "off"]
    near = [
        abs(published(row) / token_ratio(row.isl, row.osl, DEFAULT_REQUESTS * row.concurrency) - 1.0) < digits
        for row in rows
    ]
    assert sum(near) > 0.95 * len(near) > 10
    others = [abs(published(row) / token_ratio(row.isl, row.osl, 11 * row.concurrency) - 1.0) < digits for row in rows]
    assert sum(others) < 0.2 * len(others)


def test_a_stated_number_goes_first_and_figures_without_digits_show_none() -> None:
    row = read_csv(R1).points[0]
    assert configuration_of(replace(row, requests_per_client=7)) == 7
    assert row.total_tok_s_gpu is not None
    coarse = replace(row, total_tok_s_gpu=round(row.total_tok_s_gpu, 1))
    assert shown_requests(coarse) is None
    assert requests_per_client(coarse) == DEFAULT_REQUESTS
    assert shown_requests(replace(row, output_tok_s_gpu=None)) is None
    assert shown_requests(replace(row, output_tok_s_gpu=2.0 * row.total_tok_s_gpu)) is None


def configuration_of(row: MeasuredPoint) -> int:
    """Requests per client of the configuration, of a model that a profile knows."""
    return configuration(replace(row, model="Qwen3.5-397B-A17B", tp=4)).requests_per_client


def test_the_ratio_of_a_draw_by_hand() -> None:
    """One token in, 4 or 5 out: the ratio lies between 1/5 and 1/4, and is one of the two for one request."""
    assert token_ratio(1, 5, 1) in (0.2, 0.25)
    assert 0.2 < token_ratio(1, 5, 1000) < 0.25
    assert EXACT < 1e-6
