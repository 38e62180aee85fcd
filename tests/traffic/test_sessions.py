"""Sessions of agents: what each form of file says, who waits for whom, what is refused, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import InputError, Sessions, describe_trace, read_sessions, shipped_sessions, write_sessions
from simulator.cli import run
from simulator.files.limits import limits
from simulator.traffic.formats.weka import on_own_clock
from simulator.traffic.session_builder import MOST_IDS, SessionBuilder, has_twice, runs_of_ids
from simulator.traffic.sessions import Session
from simulator.traffic.traces import read_pairs, read_profile, read_trace

DATA = Path(__file__).parent / "data"
OWN = '{"session": "a", "block_tokens": 64, "requests": [%s]}'
ONE = '{"input_tokens": 130, "output_tokens": 5, "blocks": [[0, 2]]}'
ARRAYS = [name for name in Session.__dataclass_fields__ if name != "name"]


def written(tmp_path: Path, text: str, name: str = "sessions.jsonl") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def request(t: float, tokens: int, api: float | None = 2.0, think: float | None = 1.0, **more: Any) -> dict[str, Any]:
    blocks = list(range(tokens // 64))
    return {"t": t, "in": tokens, "out": 10, "hash_ids": blocks, "api_time": api, "think_time": think, **more}


def subagent(t: float, *requests: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"t": t, "type": "subagent", "requests": list(requests), **more}


def session(*requests: dict[str, Any], **more: Any) -> str:
    return json.dumps({"id": "s", "block_size": 64, "requests": list(requests), **more})


def same(one: Sessions, other: Sessions) -> bool:
    pairs = zip(one.items, other.items, strict=True)
    return one.block_tokens == other.block_tokens and all(
        a.name == b.name
        and all(np.array_equal(getattr(a, name), getattr(b, name), equal_nan=name == "service") for name in ARRAYS)
        for a, b in pairs
    )


# --- what the forms say


def test_a_recorded_tree() -> None:
    """Session 0277: three subagents start with the end of the first request, the next one waits for all of them."""
    (tree,) = read_sessions(str(DATA / "weka_tree.json")).items
    assert tree.name == "trace_0277"
    assert tree.prompt.tolist() == [19560, 11651, 13539, 11717, 14284, 11703, 15218, 32182, 55222]
    assert tree.output[:2].tolist() == [1017, 205]
    assert tree.stream.tolist() == [0, 1, 1, 2, 2, 3, 3, 0, 0]
    starts = [79.224 - 59.750, 183.906 - 164.445, 211.347 - 191.873]
    for first, start in zip((1, 3, 5), starts, strict=True):
        ((parent, delay),) = tree.waits(first)
        assert parent == 0
        assert delay == pytest.approx(start - 18.78)
        assert 0.6 < delay < 0.8
    assert tree.waits(4) == [(3, 11.0)]
    assert tree.waits(7) == [(0, 209.0), (2, 0.0), (4, 0.0), (6, 0.0)]
    assert tree.waits(8) == [(7, 8.0)]
    assert tree.runs(4) == [(1448, 180), (2385, 43)]
    assert tree.blocks(0).tolist() == list(range(1, 306))
    assert tree.service[0] == 18.78
    assert tree.subagents == 3


def test_both_forms_say_the_same() -> None:
    assert same(read_sessions(str(DATA / "weka_tree.json")), read_sessions(DATA / "weka_tree.jsonl"))


def test_a_session_printed_over_many_lines(tmp_path: Path) -> None:
    text = json.dumps(json.loads((DATA / "weka_tree.json").read_text()), indent=2)
    path = written(tmp_path, text)
    assert same(read_sessions(path), read_sessions(str(DATA / "weka_tree.json")))
    assert describe_trace(path).figures["requests"] == 9


def test_several_files_and_folders(tmp_path: Path) -> None:
    for name in ("b.json", "a.jsonl", "readme.txt"):
        written(tmp_path, session(request(0, 100), id=name), name)
    assert [one.name for one in read_sessions(str(tmp_path)).items] == ["a.jsonl", "b.json"]
    both = read_sessions([str(tmp_path / "b.json"), str(DATA / "weka_tree.jsonl")])
    assert [one.name for one in both.items] == ["b.json", "trace_0277"]
    mixed = read_sessions([str(tmp_path / "b.json"), written(tmp_path, OWN % ONE, "own")])
    assert mixed.kind == "a session of a coding agent (Weka) and sessions (JSONL)"


def test_times_of_subagents_from_their_start_or_from_that_of_the_session(tmp_path: Path) -> None:
    """The same tree in both clocks: the subagent starts at 5 s, 3 s after the end of the request before it."""
    own = [request(0, 100), subagent(9, request(0, 64), request(2.5, 64), duration_ms=4000), request(20, 200)]
    shared = [request(0, 100), subagent(9, request(5, 64), request(7.5, 64), duration_ms=4000), request(20, 200)]
    assert on_own_clock(own, "requests")
    assert not on_own_clock(shared, "requests")
    one, other = (read_sessions(written(tmp_path, session(*items), "s")) for items in (own, shared))
    assert same(one, other)
    assert one.items[0].waits(1) == [(0, 3.0)]
    assert one.items[0].waits(3) == [(0, 1.0), (2, 0.0)]


def test_a_marker_without_a_duration_is_the_start(tmp_path: Path) -> None:
    path = written(tmp_path, session(request(0, 100), subagent(9, request(0, 64)), request(20, 200)))
    assert read_sessions(path).items[0].waits(1) == [(0, 7.0)]


def test_who_waits_for_whom(tmp_path: Path) -> None:
    """A subagent first, one inside another, an empty one, one after which nothing follows."""
    inner = subagent(3, request(0, 64))
    items = [
        subagent(0, request(0, 64), inner, request(5, 64)),
        request(10, 100),
        subagent(13, request(0, 64)),
        subagent(13, request(0, 64)),
        subagent(14),
        request(20, 200),
        subagent(30, request(0, 64)),
    ]
    found = read_sessions(written(tmp_path, session(*items)))
    (tree,) = found.items
    assert tree.stream.tolist() == [1, 2, 1, 0, 3, 4, 0, 5]
    waits = [[one for one, _ in tree.waits(i)] for i in range(tree.count)]
    assert waits == [[], [0], [0, 1], [2], [3], [3], [3, 4, 5], [6]]
    assert all(one < i for i, before in enumerate(waits) for one in before)
    assert found.notes == ("subagents without requests, left out (1)",)
    assert found.totals.subagents == 5


def test_what_is_not_recorded(tmp_path: Path) -> None:
    items = [
        request(0, 64, api=None, think=None, out=0),
        request(9, 100, think=None),
        request(20, 130, think=None),
        request(30, 64, hash_ids=[1, 2, 3]),
    ]
    found = read_sessions(written(tmp_path, session(*items)))
    (one,) = found.items
    assert np.isnan(one.service[0])
    assert one.output[0] == 1
    assert one.delay.tolist() == [0.0, 9.0, 1.0]
    assert one.runs(3) == [(1, 3)]
    assert set(found.notes) == {
        "answers of 0 tokens, taken as 1 (1)",
        "delays that the file does not tell, taken as 0 (1)",
        "prompts with more or fewer block ids than full blocks; the ids are kept (1)",
    }


def test_ids_that_are_hashes_are_numbered_anew(tmp_path: Path) -> None:
    big = 2**62
    items = [request(0, 192, hash_ids=[big, 5, big - 7]), request(9, 192, hash_ids=[big, 5, 6])]
    (one,) = read_sessions(written(tmp_path, session(*items))).items
    assert one.blocks(0).tolist() == [0, 1, 2]
    assert one.blocks(1).tolist() == [0, 1, 3]
    assert one.run_first.max() < MOST_IDS


# --- the file of our own


def test_what_is_written_is_read_back_equal(tmp_path: Path) -> None:
    for found in (read_sessions(str(DATA / "weka_tree.json")), shipped_sessions()):
        path = write_sessions(found, tmp_path / "own.jsonl")
        assert same(read_sessions(path), found)
        write_sessions(found, path)  # in place of one of its kind
    other = written(tmp_path, "mine\n", "notes.txt")
    with pytest.raises(InputError, match="expected sessions as mtpsim writes them"):
        write_sessions(found, other)


def test_our_own_by_hand(tmp_path: Path) -> None:
    second = '{"input_tokens": 64, "output_tokens": 1, "stream": 1, "waits": [[0, 2.5]], "service_s": 3, "blocks": []}'
    (one,) = read_sessions(written(tmp_path, OWN % f"{ONE}, {second}")).items
    assert one.prompt.tolist() == [130, 64]
    assert one.waits(1) == [(0, 2.5)]
    assert one.service[1] == 3
    assert np.isnan(one.service[0])
    assert (one.runs(0), one.runs(1)) == ([(0, 2)], [])
    assert one.subagents == 1


# --- what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_tokens": 0}, r"line 1: requests\[1\]: input_tokens: expected whole tokens from 1 to 2000000, found 0"),
        ({"input_tokens": 1.5}, "input_tokens: expected whole tokens"),
        ({"input_tokens": "130"}, "input_tokens: expected a number, found '130'"),
        ({"input_tokens": None}, "missing input_tokens"),
        ({"output_tokens": 0}, "output_tokens: expected whole tokens"),
        ({"output_tokens": -3}, "output_tokens: expected whole tokens"),
        ({"output_tokens": True}, "output_tokens: expected a number"),
        ({"service_s": -1}, "service_s: expected a time of at least 0"),
        ({"service_s": 1e300}, "service_s: expected a time of at least 0"),
        ({"stream": -1}, "stream: expected a whole number of at least 0"),
        ({"stream": 2}, r"requests\[1\]: stream: expected at most 1, the next subagent, found 2"),
        ({"waits": [[1, 0]]}, "waits: expected earlier requests, each once, found itself"),
        ({"waits": [[2, 0]]}, "waits: expected earlier requests, each once, found request 2"),
        ({"waits": [[0, 0], [0, 0]]}, "waits: expected earlier requests, each once, found request 0"),
        ({"waits": [[0, -1]]}, r"requests\[1\]: waits: seconds: expected a time of at least 0"),
        ({"waits": [[0.5, 1]]}, r"waits: request: expected a whole number"),
        ({"waits": [0]}, "waits: expected pairs"),
        ({"waits": "all"}, "waits: expected a list"),
        ({"blocks": [[0, 0]]}, "blocks: expected a list of pairs"),
        ({"blocks": [[-1, 1]]}, "blocks: expected a list of pairs"),
        ({"blocks": [[0.5, 1]]}, "blocks: expected a list of pairs"),
        ({"blocks": [[0, 10**12]]}, "blocks: expected a list of pairs"),
        ({"blocks": [[0, 2_000_000], [2_000_000, 1]]}, "blocks: expected a list of pairs"),
        ({"blocks": [[0, 2], [1, 1]]}, "each id once"),
        ({"blocks": None}, "missing blocks"),
    ],
)
def test_faulty_requests_of_our_own(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    bad = json.loads(ONE) | change
    path = written(tmp_path, OWN % f"{ONE}, {json.dumps(bad)}")
    with pytest.raises(InputError, match=message):
        read_sessions(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": -1}, r"line 1: requests\[1\]: t: expected a time of at least 0"),
        ({"in": 0}, "in: expected whole tokens from 1"),
        ({"in": 3_000_000}, "in: expected whole tokens from 1"),
        ({"out": -1}, "out: expected whole tokens"),
        ({"hash_ids": None}, "missing hash_ids"),
        ({"hash_ids": [1, 2.0]}, "hash_ids: expected a list of whole numbers"),
        ({"hash_ids": [True]}, "hash_ids: expected a list of whole numbers"),
        ({"hash_ids": [1, 1]}, "each once"),
        ({"hash_ids": [-1]}, "hash_ids: expected a list of whole numbers"),
        ({"hash_ids": [2**64]}, "hash_ids: expected a list of whole numbers"),
        ({"hash_ids": "1"}, "hash_ids: expected a list of whole numbers"),
        ({"api_time": -2}, "api_time: expected a time"),
        ({"think_time": "soon"}, "think_time: expected a number"),
        ({"type": "subagent"}, "missing requests"),
        ({"type": "subagent", "requests": 3}, "requests: expected a list"),
        ({"type": "subagent", "requests": [7]}, r"requests\[1\]: requests\[0\]: expected a request or a subagent"),
    ],
)
def test_faulty_requests_of_weka(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = written(tmp_path, session(request(0, 100), request(9, 200) | change))
    with pytest.raises(InputError, match=message):
        read_sessions(path)
    assert run(["describe-trace", path]) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected sessions of coding agents .* found an empty file"),
        ("a,b\n1,2\n", "line 1: expected sessions"),
        ('{"id": 1}\n', "line 1: expected sessions .* found the keys 'id'"),
        ('{"id": 1}\n{"id": 2}\n', "line 1: expected sessions"),
        ("[1, 2]\n", "expected a JSON object, found an array"),
        ("[\n1,\n2]\n", "expected a JSON object with a session, found list"),
        (OWN % "", "sessions without requests"),
        (OWN % ONE + "\n" + '{"id": 1}', "line 2: expected a session with its requests, found the keys 'id'"),
        (OWN % ONE + "\n" + (OWN % ONE)[:60], "line 2: not JSON"),
        (OWN % ONE + "\n" + (OWN % ONE).replace("64", "16"), r"line 2: blocks of 16 tokens, those of .*line 1 have 64"),
        ((OWN % ONE).replace("64", "0"), "line 1: block_tokens: expected whole tokens"),
        ((OWN % ONE).replace("130", "NaN"), "line 1: expected finite numbers, found NaN"),
        ((OWN % ONE).replace('"a"', "[]"), "line 1: session: expected a name"),
        ('{"session": "a", "block_tokens": 64, "requests": {}}', "requests: expected a list"),
        ('{"id": "a", "bs": 64, "r": [[0, 64, 1, 2, 3, "n", null]]}', r"r\[0\]: expected 8 values .* found 7"),
        (
            '{"id": "a", "bs": 64, "r": [[0, 64, 1, 2, 3, "n", null, [[0]]]]}',
            r"r\[0\]: hash_ids: expected a list of pairs",
        ),
        ('{"id": "a",\n "block_size": 64,\n "requests": [{"t": 0', "line 3, column 22: not JSON: .* cut off"),
    ],
)
def test_files_that_hold_no_sessions(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_sessions(written(tmp_path, text))


def test_a_few_faults_at_once(tmp_path: Path) -> None:
    bad = ", ".join(["{}"] * 20)
    with pytest.raises(InputError) as caught:
        read_sessions(written(tmp_path, OWN % bad))
    assert len(str(caught.value).splitlines()) == 5


def test_deep_trees_and_large_files_are_refused(tmp_path: Path) -> None:
    item = request(0, 64)
    for _ in range(30):
        item = subagent(0, item)
    with pytest.raises(InputError, match="subagents more than 20 deep"):
        read_sessions(written(tmp_path, session(item)))
    with limits(rows=100), pytest.raises(InputError, match="rows of one file"):
        read_sessions(written(tmp_path, OWN % ", ".join([ONE] * 101)))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="found a folder without any"):
        read_sessions(str(empty))
    with pytest.raises(InputError, match="cannot be read"):
        read_sessions(str(tmp_path / "nothing.jsonl"))
    with pytest.raises(InputError, match="expected at least one file"):
        read_sessions([])


def test_traces_and_sessions_are_told_apart(tmp_path: Path) -> None:
    for name in ("mooncake.jsonl", "azure.csv"):
        with pytest.raises(InputError, match=r"this is an? .* trace: requests that come by themselves; .* simulate"):
            read_sessions(str(DATA / name))
    for path in (str(DATA / "weka_tree.json"), written(tmp_path, OWN % ONE)):
        for read in (read_trace, read_profile, read_pairs):
            with pytest.raises(InputError, match=r"waits for the answer before it.*mtpsim replay runs sessions"):
                read(path)


# --- requests that no context holds


def test_a_request_that_is_too_long_ends_its_conversation(tmp_path: Path) -> None:
    items = [request(0, 100), request(9, 300), request(20, 100), subagent(25, request(0, 64)), request(40, 100)]
    path = written(tmp_path, session(*items))
    found = read_sessions(path, longest=200)
    assert found.items[0].prompt.tolist() == [100]
    assert found.notes == ("requests over 200 tokens and those that follow them, left out (4)",)
    assert read_sessions(path, longest=310).items[0].count == 5
    assert read_sessions(path, longest=309).items[0].count == 1
    with pytest.raises(InputError, match="longest: expected at least the tokens of some first request, found 50"):
        read_sessions(path, longest=50)
    with pytest.raises(InputError, match="longest"):
        read_sessions(path, longest=0)


def test_a_subagent_that_is_cut_lets_its_parent_go_on(tmp_path: Path) -> None:
    cut = subagent(9, request(0, 64), request(5, 900), request(9, 64))
    gone = subagent(9, request(0, 900), request(5, 64))
    kept = subagent(9, request(0, 64))
    path = written(tmp_path, session(request(0, 100), cut, gone, kept, request(40, 100), request(50, 100)))
    (one,) = read_sessions(path, longest=500).items
    assert one.stream.tolist() == [0, 1, 2, 0, 0]
    assert [[before for before, _ in one.waits(i)] for i in range(5)] == [[], [0], [0], [0, 2, 1], [3]]
    assert dict(one.waits(3)) == {0: 1.0, 1: 0.0, 2: 0.0}


# --- the set that ships, and pieces


def test_the_set_that_ships() -> None:
    found = shipped_sessions()
    totals = found.totals
    assert (totals.sessions, totals.requests, totals.subagents) == (40, 2975, 16)
    assert all(one.count >= 2 for one in found.items)
    assert found.block_tokens == 64
    for one in found.items:
        full = np.add.reduceat(one.run_count, one.runs_of[:-1])
        assert (full == one.prompt // 64).all()
        waiting = np.repeat(np.arange(one.count), np.diff(one.waits_of))
        assert (one.waits_for < waiting).all()
        assert (one.delay >= 0).all()
    short = shipped_sessions(longest=256_000)
    assert max(one.longest for one in short.items) <= 256_000
    assert shipped_sessions() is found


def test_ranges() -> None:
    assert runs_of_ids(np.zeros(0, np.int64)) == []
    assert runs_of_ids(np.array([4, 3, 2])) == [(4, 1), (3, 1), (2, 1)]
    assert has_twice([(5, 3), (0, 6)])
    assert not has_twice([(5, 3), (0, 5), (8, 1)])
    empty = SessionBuilder().session("none")
    assert (empty.count, empty.subagents, empty.waits_of.tolist()) == (0, 0, [0])


def test_sessions_of_any_form_are_written_as_ours_and_read_back_equal(tmp_path: Path) -> None:
    written_to = tmp_path / "ours.jsonl"
    for name in ("weka_tree.json", "weka.json"):
        assert run(["describe-trace", str(DATA / name), "--sessions", str(written_to), "--format", "json"]) == 0
        one, other = read_sessions(str(DATA / name)), read_sessions(written_to)
        assert one.block_tokens == other.block_tokens
        for before, after in zip(one.items, other.items, strict=True):
            assert before.name == after.name
            for field in before.__dataclass_fields__.keys() - {"name"}:
                assert np.array_equal(getattr(before, field), getattr(after, field), equal_nan=True), field
    mooncake = str(DATA / "mooncake.jsonl")
    assert run(["describe-trace", mooncake, "--sessions", str(written_to)]) == 2
