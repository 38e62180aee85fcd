"""Several draft depths, TPs and concurrencies on one command line, and ranges of which not everything fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.cli import run

FAST = ("--method", "closed-form")
FP8 = ("--precision", "fp8", "--tp", "2")
"""27 requests fit with MTP 3, 153 without."""


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run([*words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(words) == 0
    return " ".join(capsys.readouterr().out.split())


# --- several depths and TPs


def test_compare_takes_several_depths_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("compare", "--at", "60", "--tp", "2", "--concurrency", "8,16,32", *FAST)
    found = ask(capsys, *asked, "--mtp", "1,2")
    alone = [ask(capsys, *asked, "--mtp", k) for k in ("1", "2")]
    assert found["parts"] == alone
    assert found["rows"] == [
        {"compared_spec_tokens": k, **row} for k, one in zip((1, 2), alone, strict=True) for row in one["rows"]
    ]
    text = printed(capsys, *asked, "--mtp", "1,2")
    assert text.index("== MTP 1") < text.index("MTP 1: 1.8") < text.index("== MTP 2") < text.index("MTP 2: 2.4")
    assert text.count("At 60 tok/s/user MTP delivers") == 2


def test_a_picture_of_several_depths_has_a_curve_of_each(tmp_path: Path) -> None:
    picture = tmp_path / "depths.svg"
    asked = ("compare", "--at", "60", "--tp", "2", "--concurrency", "8,16,32", *FAST)
    assert run([*asked, "--mtp", "1,2", "--plot", str(picture), "--output", str(tmp_path / "text")]) == 0
    text = picture.read_text(encoding="utf-8")
    assert all(f"<!-- {label} -->" in text for label in ("MTP 1", "MTP 2", "Off"))


def test_explain_takes_several_tps_depths_and_concurrencies(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("explain", "--tp", "2,4", "--mtp", "0,3", "--concurrency", "16,32")
    found = ask(capsys, *asked)
    runs = [(tp, k, c) for tp in (2, 4) for k in (0, 3) for c in (16, 32)]
    named = list(dict.fromkeys((row["tp"], row["spec_tokens"], row["concurrency"]) for row in found["rows"]))
    assert named == runs
    for part, (tp, k, c) in zip(found["parts"], runs, strict=True):
        assert part == ask(capsys, "explain", "--tp", str(tp), "--mtp", str(k), "--concurrency", str(c))
    text = printed(capsys, *asked)
    names = [f"== TP{tp} {f'MTP {k}' if k else 'Off'}, {c} clients" for tp, k, c in runs]
    assert [text.index(name) for name in names] == sorted(text.index(name) for name in names)


# --- what of a range does not fit

RANGED = [
    ("predict", "--mtp", "3", *FAST),
    ("compare", "--at", "100", *FAST),
    ("explain", "--mtp", "3"),
    ("what-if", "acceptance", "--rates", "0.5,1", *FAST),
    ("what-if", "depth", "--mtp", "3", *FAST),
    ("what-if", "workload", "--across-isl", "1024", "--across-osl", "1024", *FAST),
    ("what-if", "sweep", "--mtp", "3", "--rates", "0.5", *FAST),
]


@pytest.mark.parametrize("words", RANGED, ids=" ".join)
def test_a_range_leaves_out_what_does_not_fit_and_says_so_once(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, *words, *FP8, "--concurrency", "4..64")
    assert text.count("oncurrency 32, 64 left out, since at most 27 requests fit in memory") == 1
    text = printed(capsys, *words, *FP8, "--concurrency", "4..16")
    assert "left out" not in text


@pytest.mark.parametrize("words", RANGED, ids=" ".join)
@pytest.mark.parametrize(("clients", "missing"), [("4..16,64", 64), ("64", 64), ("32..128", 32)])
def test_a_number_that_is_written_out_must_fit_and_so_must_some_of_a_range(
    words: tuple[str, ...], clients: str, missing: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, *FP8, "--concurrency", clients]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert f"at concurrency {missing} on 2 x mi355x" in found.err
    assert "the largest concurrency that fits is 27" in found.err


def test_on_a_larger_replica_a_number_fits_the_front(capsys: pytest.CaptureFixture[str]) -> None:
    """64 requests with MTP 3 fit TP4 alone: the front of both sizes has them."""
    found = ask(
        capsys, "compare", "--precision", "fp8", "--tp", "2,4", "--concurrency", "4..16,64", "--at", "60", *FAST
    )
    assert found["meta"]["left_out"] == ["TP2 MTP 3: concurrency 64 left out, since at most 27 requests fit in memory"]
