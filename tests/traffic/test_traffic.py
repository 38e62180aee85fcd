"""Durations, promises, lengths, arrivals, traces and rate profiles: what they mean and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simulator.errors import InputError
from simulator.traffic.arrivals import draw_arrivals, make_traffic
from simulator.traffic.benchmark import Workload, draw_lengths
from simulator.traffic.lengths import lengths_of, parse_lengths
from simulator.traffic.promises import parse_promise
from simulator.traffic.traces import read_profile, read_trace
from simulator.units import duration_text, parse_duration

Growth = Callable[[Callable[[], object], Callable[[], object]], float]

FIXED = parse_lengths("fixed", 8192, 1024)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2s", 2), ("25ms", 0.025), ("1.5h", 5400), ("10min", 600), ("800us", 8e-4), (" 3 S ", 3)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration("--x", text) == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize("seconds", [3.2e-5, 0.0253, 2.0, 90.0, 5400.0])
def test_duration_text_reads_back(seconds: float) -> None:
    assert parse_duration("--x", duration_text(seconds).replace(" ", "")) == pytest.approx(seconds, rel=5e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2", "without a unit"),
        ("2parsec", "unknown unit 'parsec'"),
        ("ms", "expected a duration"),
        ("0s", "more than zero"),
        ("-2s", "more than zero"),
        ("1..2s", "expected a duration"),
        ("", "expected a duration"),
    ],
)
def test_bad_durations(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_duration("--ttft-p99", text)


@pytest.mark.parametrize("text", ["ttft-p100=2s", "ttft-p0=2s", "ttft-p250=2s"])
def test_impossible_percentiles(text: str) -> None:
    with pytest.raises(InputError, match="percentile above 0 and below 100"):
        parse_promise(text)


@pytest.mark.parametrize("text", ["itl-p99=2s", "ttft=2s", "ttft-p99", "ttft-p9x=2s"])
def test_promises_that_are_none(text: str) -> None:
    with pytest.raises(InputError):
        parse_promise(text)


@pytest.mark.parametrize("kind", ["uniform:0.5", "lognormal:0.7", "fixed"])
def test_lengths_have_the_moments_they_state(kind: str) -> None:
    lengths = parse_lengths(kind, 2000, 500)
    prompt, output = lengths.draw(np.random.default_rng(1), 200_000)
    mean_in, sd_in, mean_out, sd_out = lengths.moments
    for drawn, mean, sd in ((prompt, mean_in, sd_in), (output, mean_out, sd_out)):
        assert drawn.min() >= 1
        assert drawn.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(drawn.size) + 1e-9)
        assert drawn.std() == pytest.approx(sd, rel=0.02, abs=1e-9)


def test_empirical_lengths_keep_their_pairs(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("output_tokens,other,input_tokens\n5,a,100\n7,b,300\n")
    lengths = parse_lengths(f"empirical:{file}", 1, 1)
    prompt, output = lengths.draw(np.random.default_rng(1), 1000)
    assert set(zip(prompt.tolist(), output.tolist(), strict=True)) == {(100, 5), (300, 7)}
    assert lengths.moments == (200, 100, 6, 1)
    assert lengths.longest == 307


@pytest.mark.parametrize(
    "kind", ["normal", "fixed:3", "uniform:0", "uniform:2", "uniform:x", "lognormal", "lognormal:-1", "empirical"]
)
def test_bad_lengths(kind: str) -> None:
    with pytest.raises(InputError, match="--lengths"):
        parse_lengths(kind, 100, 100)


@pytest.mark.parametrize("cv", [0.0, 0.5, 1.0, 3.0])
def test_gaps_have_the_rate_and_the_variation(cv: float) -> None:
    send = draw_arrivals(np.random.default_rng(2), np.zeros(1), np.array([40.0]), 5000.0, cv)
    gaps = np.diff(send)
    assert send.size == pytest.approx(200_000, abs=4 * cv * np.sqrt(200_000) + 1)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.03, abs=1e-9)
    assert (gaps >= 0).all()


def test_poisson_counts_are_poisson() -> None:
    # index of dispersion of counts is 1, and gaps are exponential: P(gap > mean) = 1/e
    send = draw_arrivals(np.random.default_rng(3), np.zeros(1), np.array([10.0]), 20_000.0, 1.0)
    counts = np.bincount(send.astype(int), minlength=20_000)
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.04)
    assert (np.diff(send) > 0.1).mean() == pytest.approx(np.exp(-1), abs=0.005)


def test_profile_follows_its_rates() -> None:
    send = draw_arrivals(
        np.random.default_rng(4), np.array([0.0, 1000.0, 2000.0, 3000.0]), np.array([5.0, 0.0, 20.0, 0.0]), 4000.0, 1.0
    )
    counts, _ = np.histogram(send, [0, 1000, 2000, 3000, 4000])
    assert counts[1] == counts[3] == 0
    assert counts[0] == pytest.approx(5000, abs=300)
    assert counts[2] == pytest.approx(20_000, abs=600)


def test_same_seed_same_traffic_and_a_faster_pace_keeps_the_requests() -> None:
    slow, fast = (make_traffic(rate, FIXED, duration=1000.0 / rate).draw(np.random.default_rng(5)) for rate in (2, 8))
    np.testing.assert_allclose(slow.send, 4 * fast.send, rtol=1e-12)


def test_a_trace_in_both_formats(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("arrival_s,input_tokens,output_tokens\n0,10,5\n0.5,20,6\n\n0.5,30,7\n")
    lines = tmp_path / "t.jsonl"
    entries = [(0, 10, 5), (500, 20, 6), (500, 30, 7)]
    lines.write_text(
        "\n".join(
            json.dumps({"timestamp": t, "input_length": i, "output_length": o, "hash_ids": [1]}) for t, i, o in entries
        )
    )
    for path in (table, lines):
        trace = read_trace(str(path))
        send, prompt, output = trace.send, trace.prompt, trace.output
        np.testing.assert_array_equal(send, [0, 0.5, 0.5])
        np.testing.assert_array_equal(prompt, [10, 20, 30])
        np.testing.assert_array_equal(output, [5, 6, 7])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0,10,5\n2,10,5\n1,10,5\n", r"line 4: arrival_s 1 is before 2 of line 3"),
        ("0,10,5\nx,10,5\n", r"line 3: arrival_s: expected a number, found 'x'"),
        ("0,10,5\n1,10\n", r"line 3: expected 3 cells, found 2"),
        ("0,0,5\n", r"line 2: input_tokens: expected whole tokens"),
        ("0,10,2.5\n", r"line 2: output_tokens: expected whole tokens"),
        ("0,10,-5\n", r"line 2: output_tokens"),
        ("-1,10,5\n", r"line 2: arrival_s: expected a time of at least 0"),
        ("nan,10,5\n", r"line 2: arrival_s: expected a finite number"),
        ("inf,10,5\n", r"line 2: arrival_s: expected a finite number"),
        (",10,5\n", r"line 2: arrival_s: expected a number"),
        ("", "no rows"),
    ],
)
def test_malformed_rows_are_refused_by_line(tmp_path: Path, rows: str, message: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text("arrival_s,input_tokens,output_tokens\n" + rows)
    with pytest.raises(InputError, match=message):
        read_trace(str(file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"timestamp": 0, "input_length": 5, "output_length": 5}\n{oops\n', "line 2: not JSON"),
        ('{"timestamp": 0, "input_length": 5}\n', "line 1: missing output_length"),
        ("[1]\n", "line 1: expected a JSON object"),
        ('{"timestamp": true, "input_length": 5, "output_length": 5}\n', "line 1: timestamp"),
    ],
)
def test_malformed_jsonl(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_trace(str(file))


def test_missing_files_and_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_trace(str(tmp_path / "none.csv"))
    file = tmp_path / "t.csv"
    file.write_text("time,input\n1,2\n")
    with pytest.raises(InputError, match="line 1: expected the columns arrival_s, input_tokens, output_tokens"):
        read_trace(str(file))
    with pytest.raises(InputError, match="line 1: expected the columns start_s"):
        read_profile(str(file))
    file.write_text("start_s,requests_per_s\n5,1\n")
    with pytest.raises(InputError, match="must start at 0"):
        read_profile(str(file))
    file.write_text("start_s,requests_per_s\n0,0\n")
    with pytest.raises(InputError, match="no rate above zero"):
        read_profile(str(file))


def test_every_fault_of_a_file_up_to_five(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("arrival_s,input_tokens,output_tokens\n" + "x,1,1\n" * 9)
    with pytest.raises(InputError) as fault:
        read_trace(str(file))
    assert len(str(fault.value).splitlines()) == 5


def test_reading_grows_with_the_rows_and_not_faster(tmp_path: Path, growth: Growth) -> None:
    def write(n: int) -> None:
        send = np.cumsum(np.random.default_rng(6).exponential(0.01, n)).tolist()
        table, lines, profile = (tmp_path / f"{n}.{kind}" for kind in ("csv", "jsonl", "profile"))
        table.write_text("arrival_s,input_tokens,output_tokens\n" + "".join(f"{t!r},100,20\n" for t in send))
        lines.write_text(
            "".join(f'{{"timestamp": {t * 1000}, "input_length": 100, "output_length": 20}}\n' for t in send)
        )
        profile.write_text("start_s,requests_per_s\n" + "".join(f"{i},{1 + i % 3}\n" for i in range(n)))

    def read(n: int) -> None:
        send = np.cumsum(np.random.default_rng(6).exponential(0.01, n))
        for kind in ("csv", "jsonl"):
            trace = read_trace(str(tmp_path / f"{n}.{kind}"))
            found, prompt = trace.send, trace.prompt
            np.testing.assert_allclose(found, send, rtol=1e-12)
            assert prompt.size == n
        profile = str(tmp_path / f"{n}.profile")
        starts = read_profile(profile).starts
        assert starts.size == n
        drawn = make_traffic(None, FIXED, profile=profile, duration=float(n)).draw(np.random.default_rng(7))
        assert drawn.count == pytest.approx(2 * n, rel=0.02)

    small, large = 8_000, 64_000
    for n in (small, large):
        write(n)
    # 8 if the work is linear, 64 if it is quadratic
    assert growth(lambda: read(small), lambda: read(large)) < 24


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_rates(rate: float) -> None:
    with pytest.raises(InputError, match="--rate"):
        make_traffic(rate, FIXED)


def test_exactly_one_source_of_traffic() -> None:
    with pytest.raises(InputError, match="found none"):
        make_traffic(None, FIXED)
    with pytest.raises(InputError, match="--rate and --trace"):
        make_traffic(1.0, FIXED, trace="x.csv")
    with pytest.raises(InputError, match="--cv"):
        make_traffic(1.0, FIXED, cv=-1.0)
    with pytest.raises(InputError, match="over the limit of 20,000,000"):
        make_traffic(1e6, FIXED, duration=1e6).draw(np.random.default_rng(0))
    with pytest.raises(InputError, match="no request arrives"):
        make_traffic(1e-6, FIXED, duration=1.0).draw(np.random.default_rng(0))


@pytest.mark.parametrize("ratio", [1.0, 0.8, 0.5])
def test_lengths_without_a_kind_are_those_of_the_closed_loop(ratio: float) -> None:
    """The same law as the benchmark's own draw: whole numbers from ratio x L to L, all as likely."""
    workload = Workload(isl=50, osl=20, range_ratio=ratio)
    prompt, output = lengths_of(None, workload).draw(np.random.default_rng(1), 200_000)
    closed = np.random.default_rng(2)
    for found, nominal in ((prompt, 50), (output, 20)):
        other = draw_lengths(closed, nominal, ratio, 200_000)
        assert (found.min(), found.max()) == (other.min(), other.max()) == (int(ratio * nominal), nominal)
        for value in range(int(ratio * nominal), nominal + 1):
            share = 1 / (nominal - int(ratio * nominal) + 1)
            assert (found == value).mean() == pytest.approx(share, abs=5e-3)
    assert ("fixed" if ratio == 1 else f"uniform from {ratio:g} of that") in lengths_of(None, workload).describe()
