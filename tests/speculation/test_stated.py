"""Acceptance in the definitions that engines print: what length each gives, by hand, and what is asked about."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import Acceptance, InputError, make_scenario
from simulator.cli import run
from simulator.speculation.acceptance import from_drafted, from_unconditional
from simulator.speculation.stated import parse_positions

BY_HAND: list[tuple[dict[str, Any], float]] = [
    ({"acceptance_positions": "unconditional:0.90,0.75,0.60"}, 1 + 0.90 + 0.75 + 0.60),
    ({"acceptance_positions": " Unconditional: 0.9 , 0.75,.6"}, 3.25),
    ({"acceptance_positions": "conditional:0.90,0.75,0.60"}, 1 + 0.90 + 0.90 * 0.75 + 0.90 * 0.75 * 0.60),
    ({"acceptance_positions": "unconditional:0.7,0,0"}, 1.7),
    ({"acceptance_positions": "unconditional:0,0,0"}, 1.0),
    ({"draft_acceptance": 0.75}, 1 + 3 * 0.75),
    ({"draft_acceptance": 0}, 1.0),
    ({"draft_acceptance": 1}, 4.0),
    ({"acceptance": [0.90, 0.75, 0.60]}, 2.98),
    ({"acceptance_rate": 0.75}, 1 + 0.75 + 0.75**2 + 0.75**3),
    ({"acceptance_length": 2.5}, 2.5),
]


@pytest.mark.parametrize(("stated", "length"), BY_HAND)
def test_length_by_hand(stated: dict[str, Any], length: float) -> None:
    assert make_scenario(mtp=3, **stated).speculation.acceptance_length == pytest.approx(length, abs=1e-9)


def test_unconditional_shares_are_the_chance_to_reach_a_position() -> None:
    drafts = from_unconditional([0.90, 0.75, 0.60], 3)
    assert drafts.probabilities == pytest.approx((0.90, 0.75 / 0.90, 0.60 / 0.75))
    np.testing.assert_allclose(drafts.emission(), [0.10, 0.15, 0.15, 0.60], atol=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_length_is_one_plus_the_sum(shares: list[float]) -> None:
    shares = sorted(shares, reverse=True)
    drafts = from_unconditional(shares, len(shares))
    assert drafts.acceptance_length == pytest.approx(1 + sum(shares), abs=1e-9)
    assert from_drafted(sum(shares) / len(shares), len(shares)).acceptance_length == pytest.approx(1 + sum(shares))


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"acceptance_positions": "0.9,0.75,0.6"}, r"unconditional:0.9,0.75,0.6 .*3\.25.* conditional:.*2\.98"),
        ({"acceptance_positions": "both:0.9,0.75,0.6"}, "expected unconditional:.* or conditional:"),
        ({"acceptance_positions": "unconditional:0.9,0.95,0.6"}, "found 0.95 at position 2 after 0.9"),
        ({"acceptance_positions": "unconditional:0.9,0.8"}, "expected 3 probabilities for --mtp 3, found 2"),
        ({"acceptance_positions": "conditional:0.9,0.8"}, "--acceptance-positions: expected 3 probabilities"),
        ({"acceptance_positions": "unconditional:90,75,60"}, r"\[0, 1\].*per cent\? 75 % is 0.75"),
        ({"acceptance_positions": "unconditional:0.9,nan,0.6"}, "numbers separated by commas"),
        ({"acceptance_positions": "unconditional:"}, "numbers separated by commas"),
        ({"acceptance_positions": [0.9, 0.75, 0.6]}, "expected text such as unconditional:"),
        ({"draft_acceptance": 75}, r"found 75 \(per cent\?"),
        ({"draft_acceptance": -0.1}, r"in \[0, 1\], found -0.1"),
        ({"draft_acceptance": float("nan")}, "found nan"),
        ({"acceptance_rate": 75}, r"found 75.* \(per cent\?"),
        ({"draft_acceptance": 0.5, "acceptance_rate": 0.5}, "one way to state acceptance, found 2"),
    ],
)
def test_what_is_no_acceptance_is_refused(stated: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_scenario(mtp=3, **stated)


def test_a_number_of_one_depth_is_refused_for_several(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--draft-acceptance=0.5", "--acceptance-positions=unconditional:0.5,0.4"):
        assert run(["predict", "--mtp", "1,2", option]) == 2
        assert f"{option.partition('=')[0]}: belongs to one depth" in capsys.readouterr().err
    assert Acceptance(labelled="conditional:0.5").of_one_depth
    assert not Acceptance(rate=0.5).of_one_depth


def test_depth_of_stated_positions() -> None:
    assert Acceptance(labelled="unconditional:0.5,0.4").depth == 2
    assert Acceptance(positions=[0.5]).depth == 1
    assert Acceptance(drafted=0.5).depth is None
    assert parse_positions("conditional:1") == ("conditional", [1.0])


@pytest.mark.parametrize(
    ("options", "length", "words"),
    [
        (["--acceptance-positions", "unconditional:0.90,0.75,0.60"], 3.25, "of all rounds"),
        (["--draft-acceptance", "0.75"], 3.25, "accepted over drafted"),
        (["--acceptance", "0.90,0.75,0.60"], 2.98, "given all before it"),
        (["--acceptance-rate", "0.75"], 2.734375, "given all before it"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        "predict --concurrency 4",
        "explain --concurrency 4",
        "compare --at 60 --concurrency 4..64 --tp 4",
        "what-if depth --concurrency 4",
        "plan --rate 1 --ttft-p99 5s --tp 4",
        "simulate --rate 1 --duration 10s",
    ],
)
def test_every_command_says_definition_and_length(
    command: str, options: list[str], length: float, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    method = ["--method", "closed-form"] if command.split()[0] in ("predict", "compare", "what-if") else []
    line = [*command.split(), *method, "--mtp", "3", *options]
    assert run(line) in (0, 3)
    printed = " ".join(capsys.readouterr().out.split())
    assert f"{length:.2f} tokens per round" in printed
    assert words in printed
    if "explain" not in command:
        assert run([*line, "--format", "json"]) in (0, 3)
        assert json.loads(capsys.readouterr().out)
