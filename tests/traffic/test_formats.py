"""Formats of traffic files: exactly one claims each, what each reads, and what each refuses, by line."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from simulator import InputError, describe_trace
from simulator.cli import run
from simulator.traffic.arrivals import draw_arrivals, make_traffic
from simulator.traffic.busiest import busiest_spell
from simulator.traffic.formats.registry import FORMATS
from simulator.traffic.lengths import parse_lengths
from simulator.traffic.trace import Gaps, Rates, Trace, weibull_cv, weibull_shape
from simulator.traffic.traces import opened, read_pairs, read_profile, read_trace, read_traffic

DATA = Path(__file__).parent / "data"
OWN = "arrival_s,input_tokens,output_tokens\n"
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
FIXED = parse_lengths("fixed", 1000, 100)

FILES = {
    "mooncake.jsonl": None,
    "azure.csv": None,
    "burstgpt_header_only.csv": None,
    "weka.jsonl": None,
    "weka.json": None,
    "own": f"{OWN}0,1,1\n",
    "other order": "id,Output_Tokens, input_tokens,arrival_s\na,1,1,0\n",
    "own lines": '{"arrival_s": 0, "input_tokens": 5, "output_tokens": 6}\n',
    "profile": "start_s,requests_per_s\n0,1\n",
    "servegen": "0,1.5,1.2,Gamma,0.7,0.9\n",
    "servegen idle first": "0,0.0,0.0,,,\n600,1.5,1.2,Weibull,0.7,0.9\n",
    "servegen header": "start_s,rate,cv,family,shape,scale\n0,1,1,Gamma,1,1\n",
    "burstgpt": f"{BURST}5,ChatGPT,472,18,490,Conversation log\n",
    "burstgpt with sessions": "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,"
    "Log Type\n5,1,2,ChatGPT,472,18,490,Conversation log\n",
    "azure images": "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2024-10-15 00:00:00.000001,0,3,4\n",
}


def written(tmp_path: Path, text: str, name: str = "file.dat") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", FILES)
def test_exactly_one_format_claims_each_file(name: str, tmp_path: Path) -> None:
    text = FILES[name] or (DATA / name).read_text()
    head = opened(written(tmp_path, text))
    assert len([one for one in FORMATS if one.recognises(head)]) == 1


@pytest.mark.parametrize("text", ["", "N,capacity_tokens\n4,5\n", "0,10,5\n1,10,5\n", "# a page\n", '{"id": 1}\n'])
def test_what_is_no_traffic_is_refused_with_what_was_found(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1: expected the (columns|keys) arrival_s, .* Mooncake, .* found"):
        read_traffic(written(tmp_path, text))


@pytest.mark.parametrize("name", ["renamed.csv", "renamed.jsonl", "renamed", "renamed.txt"])
def test_the_name_plays_no_part(name: str, tmp_path: Path) -> None:
    text = (DATA / "mooncake.jsonl").read_text()
    assert read_trace(written(tmp_path, text, name)).count == 60
    assert read_trace(written(tmp_path, OWN + "0,1,1\n", name)).count == 1


def test_azure_dates_of_seven_decimals() -> None:
    trace = read_trace(str(DATA / "azure.csv"))
    assert trace.count == 60
    assert trace.send[:2] == pytest.approx([0.0, 50.9951690 - 46.6805900], abs=1e-6)
    assert (trace.prompt[:2].tolist(), trace.output[:2].tolist()) == ([374, 396], [44, 109])
    assert trace.from_first


@pytest.mark.parametrize(
    "date",
    [
        "2024-05-10 00:00:01.500000+00:00",
        "2024-05-10T00:00:01.5Z",
        "2024-05-10 02:00:01.5+02:00",
        " 2024-05-10 00:00:01.5000000 ",
    ],
)
def test_other_ways_to_write_a_date(date: str, tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, f"{AZURE}2024-05-10 00:00:00,5,6\n{date},5,6\n"))
    assert trace.send == pytest.approx([0.0, 1.5], abs=1e-6)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2024-13-45 00:00:00,5,6", "line 3: TIMESTAMP: expected a date such as"),
        ("yesterday,5,6", "line 3: TIMESTAMP: expected a date such as"),
        ("1690000000,5,6", "line 3: TIMESTAMP: expected a date such as"),
        ("2024-05-10 00:00:02,5.5,6", "line 3: ContextTokens: expected whole tokens"),
        ("2024-05-10 00:00:02,5,-6", "line 3: GeneratedTokens: expected whole tokens"),
        ("2024-05-09 00:00:02,5,6", "line 3: TIMESTAMP .* is before"),
        ("2024-05-10 00:00:02,5", "line 3: expected 3 cells, found 2"),
    ],
)
def test_faulty_azure_rows(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_trace(written(tmp_path, f"{AZURE}2024-05-10 00:00:01,5,6\n{row}\n"))


def test_failed_requests_of_burstgpt_are_left_out_with_a_count(tmp_path: Path) -> None:
    rows = ["5,ChatGPT,472,18,490,Conversation log", "45,ChatGPT,1087,0,1087,API log", "45,GPT-4,417,276,693,API log"]
    path = written(tmp_path, BURST + "\n".join(rows) + "\n")
    trace = read_trace(path)
    assert (trace.count, trace.failed) == (2, 1)
    assert trace.send.tolist() == [5, 45]
    assert trace.output.tolist() == [18, 276]
    assert "1 failed request (no output) left out" in make_traffic(None, FIXED, trace=path).describe()
    assert read_pairs(path) == ((472, 18), (417, 276))
    found = describe_trace(path)
    assert (found.figures["requests"], found.figures["failed_requests"]) == (2, 1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "a BurstGPT trace without requests: no rows"),
        ("5,ChatGPT,472,0,472,API log\n6,ChatGPT,472,0,472,API log\n", "all 2 requests failed"),
        ("5,ChatGPT,0,7,7,API log\n", "line 2: Request tokens: expected whole tokens"),
        ("x,ChatGPT,1,7,7,API log\n", "line 2: Timestamp: expected a number"),
    ],
)
def test_faulty_burstgpt(rows: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_trace(written(tmp_path, BURST + rows))


def test_sessions_of_agents_are_refused_with_the_reason() -> None:
    for name in ("weka.json", "weka.jsonl"):
        with pytest.raises(InputError, match="each request waits for the answer before it"):
            read_trace(str(DATA / name))


@pytest.mark.parametrize("hashes", ['"abc"', "[1, 2.5]", "[true]", "{}"])
def test_faulty_hashes(hashes: str, tmp_path: Path) -> None:
    line = f'{{"timestamp": 0, "input_length": 5, "output_length": 5, "hash_ids": {hashes}}}\n'
    with pytest.raises(InputError, match="line 1: hash_ids: expected a list of whole numbers"):
        read_trace(written(tmp_path, line))


def test_one_bad_line_of_many(tmp_path: Path) -> None:
    lines = (DATA / "mooncake.jsonl").read_text().splitlines()
    for bad, message in (
        ('{"timestamp": 1', "line 31: not JSON"),
        ('{"timestamp": NaN, "input_length": 1, "output_length": 1}', "line 31: expected finite numbers, found NaN"),
        ("[" * 100_000, "line 31: nested too deep"),
        ('{"timestamp": 1e9, "input_length": ' + "9" * 5000 + "}", "line 31: a number of 5,000 digits"),
    ):
        with pytest.raises(InputError, match=message):
            read_trace(written(tmp_path, "\n".join([*lines[:30], bad, *lines[30:]])))


def test_a_clock_that_is_not_the_traces_own(tmp_path: Path) -> None:
    since_1970 = 1_700_000_000_000
    entries = [{"timestamp": since_1970 + t, "input_length": 5, "output_length": 5} for t in (0, 500, 2000)]
    trace = read_trace(written(tmp_path, "".join(json.dumps(one) + "\n" for one in entries)))
    assert trace.send == pytest.approx([0, 0.5, 2.0])
    assert trace.from_first
    assert not read_trace(written(tmp_path, OWN + "1,5,5\n10,5,5\n")).from_first


# --- windows of ServeGen


def test_windows_of_servegen(tmp_path: Path) -> None:
    text = "600,2.0,1.5,Gamma,0.44,1.1\n1200,0,0,,,\n1800,8,2.5,Weibull,0.5,0.06\n2400,1,1,Exponential,1,1\n"
    for given in (text, "start_s,rate,cv,family,shape,scale\n" + text):
        found = read_traffic(written(tmp_path, given))
        assert isinstance(found, Rates)
        assert found.starts.tolist() == [0, 600, 1200, 1800]
        assert found.rates.tolist() == [2, 0, 8, 1]
        assert found.length == 2400
        assert found.gaps is not None
        assert [gaps.family for gaps in found.gaps] == ["gamma", "gamma", "weibull", "gamma"]
    traffic = make_traffic(None, FIXED, trace=written(tmp_path, text))
    assert traffic.rate == pytest.approx((2 + 0 + 8 + 1) / 4)
    requests = traffic.draw(np.random.default_rng(1))
    counts, _ = np.histogram(requests.send, [0, 600, 1200, 1800, 2400])
    assert counts[1] == 0
    assert counts[2] == pytest.approx(4800, abs=6 * 2.3 * math.sqrt(4800))
    assert (requests.prompt == 1000).all()
    with pytest.raises(InputError, match=r"--cv: .* expected no --cv beside it"):
        make_traffic(None, FIXED, profile=written(tmp_path, text), cv=2.0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0,1,1,Gamma,1,1\n600,-1,1,Gamma,1,1\n", "line 2: rate: expected a rate of at least 0"),
        ("0,1,1,Gamma,1,1\n600,1,99,Gamma,1,1\n", "line 2: cv: expected a coefficient of variation"),
        ("0,1,1,Gamma,1,1\n600,1,1,Pareto,1,1\n", "line 2: family: expected gamma, weibull"),
        ("0,1,1,Gamma,1,1\n600,1,1,Gamma,-1,1\n", "line 2: shape: expected a shape"),
        ("0,1,1,Gamma,1,1\n0,1,1,Gamma,1,1\n", "line 2: start_s: windows must be in order of time"),
        ("0,1,1,Gamma,1,1\n600,nan,1,Gamma,1,1\n", "line 2: rate: expected a finite number"),
        ("0,1,1,Gamma,1,1\n600,1\n", "line 2: cv: missing"),
        ("0,0,1,Gamma,1,1\n600,0,1,Gamma,1,1\n", "no window with a rate above zero"),
    ],
)
def test_faulty_windows(rows: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_traffic(written(tmp_path, rows))


@pytest.mark.parametrize(
    ("gaps", "cv"),
    [
        (Gaps("gamma", 2.0), 2.0),
        (Gaps("gamma", 9.0, 0.25), 2.0),
        (Gaps("weibull", 1.5), 1.5),
        (Gaps("weibull", 9.0, 1.0), 1.0),
        (Gaps("weibull", 9.0, 0.5), math.sqrt(5)),
        (Gaps("gamma", 0.0), 0.0),
    ],
)
def test_gaps_have_mean_one_and_the_variation(gaps: Gaps, cv: float) -> None:
    """A Weibull of shape 1 is exponential; of shape 1/2 its moments are 2 and 24, so that cv^2 is 5."""
    drawn = gaps.draw(np.random.default_rng(4), 400_000)
    assert drawn.mean() == pytest.approx(1.0, rel=0.02)
    assert drawn.std() / drawn.mean() == pytest.approx(cv, rel=0.05, abs=1e-9)


@pytest.mark.parametrize("cv", [0.3, 1.0, 2.5, 8.0])
def test_shape_of_a_weibull_inverts_its_variation(cv: float) -> None:
    assert weibull_cv(weibull_shape(cv)) == pytest.approx(cv, rel=1e-6)


def test_each_window_has_its_own_gaps() -> None:
    """Even gaps in one window and bursty ones in the next; the mean count is the rate's in both."""
    counts = np.zeros((200, 2))
    for seed in range(200):
        send = draw_arrivals(
            np.random.default_rng(seed),
            np.array([0.0, 100.0]),
            np.array([5.0, 5.0]),
            200.0,
            (Gaps("gamma", 0.1), Gaps("gamma", 3.0)),
        )
        counts[seed] = np.histogram(send, [0, 100, 200])[0]
    # variance of a renewal count is cv^2 times its mean; a fresh start adds (cv^2 - 1) / 2 to the mean
    assert counts[:, 0].mean() == pytest.approx(500, abs=1.0)
    assert counts[:, 0].var() < 10
    assert counts[:, 1].mean() == pytest.approx(504, abs=4 * 3 * math.sqrt(500 / 200))
    assert counts[:, 1].var() == pytest.approx(9 * 500, rel=0.35)


def test_a_profile_is_told_from_a_trace(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is an Azure trace: give it as --trace"):
        read_profile(str(DATA / "azure.csv"))
    with pytest.raises(InputError, match="without requests; expected a trace"):
        read_trace(written(tmp_path, "start_s,requests_per_s\n0,1\n"))


# --- what describes a trace


def brute_force_hits(lines: Sequence[dict[str, list[int] | int]]) -> tuple[float, float]:
    """By the text of the definition: a block is held when its hash, which is of the whole prefix, was seen before."""
    seen: set[int] = set()
    tokens, shares, total = 0, [], 0
    for line in lines:
        length, held = int(line["input_length"]), 0  # type: ignore[arg-type]
        for i, block in enumerate(line["hash_ids"]):  # type: ignore[arg-type]
            if block not in seen:
                break
            held += min(512, length - 512 * i)
        seen |= set(line["hash_ids"])  # type: ignore[arg-type]
        tokens, total = tokens + held, total + length
        shares.append(held / length)
    return tokens / total, sum(shares) / len(shares)


def test_shared_prefixes() -> None:
    found = describe_trace(str(DATA / "mooncake.jsonl")).figures
    lines = [json.loads(line) for line in (DATA / "mooncake.jsonl").read_text().splitlines()]
    tokens, requests = brute_force_hits(lines)
    assert tokens > 0
    assert found["ideal_hit_rate_tokens"] == pytest.approx(tokens, rel=1e-12)
    assert found["ideal_hit_rate_requests"] == pytest.approx(requests, rel=1e-12)


def test_shared_prefixes_by_hand(tmp_path: Path) -> None:
    """The second prompt shares its first block of two, the third both of its own, of which the last is not full."""
    prompts = [(1024, [1, 2]), (1024, [1, 3]), (600, [1, 2])]
    lines = [
        json.dumps({"timestamp": i, "input_length": n, "output_length": 5, "hash_ids": h})
        for i, (n, h) in enumerate(prompts)
    ]
    found = describe_trace(written(tmp_path, "\n".join(lines))).figures
    assert found["ideal_hit_rate_tokens"] == pytest.approx((512 + 600) / 2648)
    assert found["ideal_hit_rate_requests"] == pytest.approx((0 + 0.5 + 1) / 3)
    assert "computed all the same" in make_traffic(None, FIXED, trace=str(DATA / "mooncake.jsonl")).describe()


def test_figures_of_a_trace_by_hand(tmp_path: Path) -> None:
    rows = [(0, 10, 1), (1, 20, 2), (2, 30, 3), (3, 40, 4), (10, 400, 40)]
    path = written(tmp_path, OWN + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    found = describe_trace(path, window="5s")
    row = found.figures
    gaps = np.array([1, 1, 1, 7])
    assert row["requests"] == 5
    assert row["duration_s"] == 10
    assert row["mean_requests_per_s"] == 0.5
    assert row["peak_requests_per_s"] == 4 / 5
    assert (row["mean_input_tokens"], row["median_input_tokens"], row["max_output_tokens"]) == (100, 30, 40)
    assert row["p95_input_tokens"] == pytest.approx(40 + 0.8 * 360)
    assert row["cv_of_gaps"] == pytest.approx(gaps.std() / gaps.mean())
    assert [w["requests"] for w in found.windows] == [4, 1]
    assert row["ideal_hit_rate_tokens"] is None


def test_poisson_traffic_is_told_from_bursty(tmp_path: Path) -> None:
    for cv in (1.0, 3.0):
        send = draw_arrivals(np.random.default_rng(3), np.zeros(1), np.array([20.0]), 2000.0, cv)
        path = written(tmp_path, OWN + "".join(f"{t!r},10,5\n" for t in send.tolist()))
        row = describe_trace(path, window="10s").figures
        assert row["cv_of_gaps"] == pytest.approx(cv, rel=0.05)
        assert row["index_of_dispersion"] == pytest.approx(cv**2, rel=0.35)
        spell = busiest_spell(path)
        assert spell.rate == pytest.approx(20, rel=0.1)
        assert spell.cv == pytest.approx(cv, rel=0.1)


@pytest.mark.parametrize("text", [OWN + "0,1,1\n", OWN + "5,1,1\n5,2,2\n5,3,3\n", OWN + "0,1,1\n1,1,1\n"])
def test_traces_too_short_to_tell(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, text)
    assert describe_trace(path).figures["index_of_dispersion"] is None
    for form in ("table", "json", "csv"):
        assert run(["describe-trace", path, "--format", form]) == 0
    assert run(["describe-trace", path, "--plot", str(tmp_path / "p.png")]) == 0
    assert "NaN" not in capsys.readouterr().out
    with pytest.raises(InputError, match="tell no rate"):
        busiest_spell(path)


def test_commands_take_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    azure = str(DATA / "azure.csv")
    assert run(["simulate", "--trace", azure, "--tp", "4", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"]["requests"] == 60
    assert run(["plan", "--trace", azure, "--tp", "4", "--mtp", "0", "--ttft-p99", "5s", "--format", "json"]) == 0
    meta = json.loads(capsys.readouterr().out)["meta"]
    spell = busiest_spell(azure)
    assert (meta["rate_per_s"], meta["cv"]) == (spell.rate, spell.cv)
    assert meta["lengths_option"] == f"empirical:{azure}"
    assert "trace" in meta["traffic_source"]
    assert run(["plan", "--trace", azure, "--rate", "3", "--cv", "2", "--ttft-p99", "5s"]) == 2
    assert "expected no --rate and no --cv beside it" in capsys.readouterr().err
    assert run(["describe-trace", azure, "--window", "0s"]) == 2
    assert run(["describe-trace", azure, "--window", "1us"]) == 2
    assert "windows of 1 us" in capsys.readouterr().err


def test_times_are_those_of_the_file() -> None:
    trace = read_trace(str(DATA / "mooncake.jsonl"))
    assert isinstance(trace, Trace)
    lines = [json.loads(line) for line in (DATA / "mooncake.jsonl").read_text().splitlines()]
    assert trace.send == pytest.approx([line["timestamp"] / 1000 for line in lines])
    assert trace.prompt.tolist() == [line["input_length"] for line in lines]
