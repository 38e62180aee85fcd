"""A journal cut, glued or damaged anywhere gives back everything that can still be read, and nothing else."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError, MachineError
from simulator.files import journal as journal_module
from simulator.files.journal import ASIDE, Journal
from simulator.files.lines import Format, read_lines
from simulator.planning.ledger import checked as outcome
from simulator.what_if.backends import checked as metrics

OLD = (Path(__file__).parent / "data" / "plan-ledger-0.1.0.jsonl").read_bytes()
LEDGER = Format(
    "--resume",
    "what an earlier run of the same plan has simulated",
    (OLD.split(b"\n")[0].decode(),),
    re.compile(r'\{"plan": "[0-9a-f]{64}"\}'),
    "outcome",
    lambda key, content: outcome(key, content, 1),
)
RESULTS = Format(
    "--results", "a file of earlier results", ("mtpsim results",), re.compile("mtpsim results"), "metrics", metrics
)
RATES = {"total_tok_s_gpu": 356.9, "output_tok_s_gpu": 178.25, "requests_per_s": 0.1 + 0.2, "sd_mean_tpot_ms": 1e-05}
NEW = b"mtpsim results\n" + b"".join(RESULTS.entry(f"{i:064x}", RATES | {"mean_tpot_ms": i / 7}) for i in range(5))
FILES = [pytest.param(LEDGER, OLD, id="ledger of 0.1.0"), pytest.param(RESULTS, NEW, id="results")]


def all_of(form: Format, data: bytes) -> dict[str, Any]:
    return read_lines(data, form, "file").known


def opened(path: Path, form: Format, data: bytes) -> dict[str, Any]:
    """What a journal knows of a file, after which the file is mended."""
    path.write_bytes(data)
    with Journal(str(path), form) as found:
        return dict(found.known)


@pytest.mark.parametrize(("form", "data"), FILES)
def test_cut_anywhere(form: Format, data: bytes, tmp_path: Path) -> None:
    """Every whole entry is used, the cut one is not, and after an entry more the file is sound."""
    whole = all_of(form, data)
    assert len(whole) == data.count(b"\n") - 1
    lines = data.split(b"\n")
    ends = [sum(len(line) + 1 for line in lines[: n + 1]) - 1 for n in range(len(lines) - 1)]
    path = tmp_path / "kept"
    for length in range(len(data) + 1):
        entries = sum(end <= length for end in ends[1:])
        assert list(all_of(form, data[:length]).items()) == list(whole.items())[:entries]
        if length % 61 and not any(abs(length - end) < 2 for end in ends):
            continue
        path.write_bytes(data[:length])
        with Journal(str(path), form) as found:
            found.begin()
        assert path.read_bytes() == b"".join(line + b"\n" for line in lines[: 1 + entries])
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(("form", "data"), FILES)
def test_one_byte_gone(form: Format, data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A header that is not ours is refused and left alone; elsewhere all entries but the damaged ones are used."""
    whole = all_of(form, data)
    header = data.index(b"\n")
    path = tmp_path / "kept"
    for place in [*range(0, len(data), 7), header, *(m.start() for m in re.finditer(b"\n", data))]:
        damaged = data[:place] + data[place + 1 :]
        if place < header:
            path.write_bytes(damaged)
            with pytest.raises(InputError, match=r"expected|other inputs"):
                Journal(str(path), form)
            assert path.read_bytes() == damaged
            continue
        known = opened(path, form, damaged)
        assert len(known) >= len(whole) - 2
        if form is RESULTS:  # check sums: what is used is right
            assert known.items() <= whole.items()
        capsys.readouterr()
        assert opened(path, form, path.read_bytes()) == known
        assert capsys.readouterr().err == ""


@given(
    flips=st.lists(st.tuples(st.integers(len("mtpsim results\n"), len(NEW) - 1), st.integers(1, 255)), max_size=4),
    cut=st.integers(len("mtpsim results\n"), len(NEW)),
)
def test_damage_never_becomes_a_number(flips: list[tuple[int, int]], cut: int) -> None:
    """Whatever bits of the lines flip, an entry is used as it was written or not at all."""
    data = bytearray(NEW)
    for place, mask in flips:
        data[place] ^= mask
    found = read_lines(bytes(data[:cut]), RESULTS, "file")
    assert found.known.items() <= all_of(RESULTS, NEW).items()


def test_glued_and_damaged_lines_are_kept_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = NEW.splitlines(keepends=True)
    glued = b"".join([*lines[:2], lines[2].rstrip(b"\n"), lines[3], b"\xff\xfe no text\n", *lines[4:]])
    path = tmp_path / "kept"
    known = opened(path, RESULTS, glued)
    assert known == all_of(RESULTS, b"".join([*lines[:2], *lines[4:]]))
    told = capsys.readouterr().err
    assert told.startswith(f"mtpsim: --results {path}: lines 3, 4 are damaged and kept aside in kept.damaged; the rest")
    aside = lines[2].rstrip(b"\n") + lines[3] + b"\xff\xfe no text\n"
    assert (tmp_path / "kept.damaged").read_bytes() == ASIDE + aside
    assert path.read_bytes() == b"".join([*lines[:2], *lines[4:]])
    opened(path, RESULTS, path.read_bytes() + b"more\n")
    assert (tmp_path / "kept.damaged").read_bytes().endswith(b"no text\nmore\n")


def test_a_file_of_the_user_beside_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "kept.damaged").write_text("mine")
    opened(tmp_path / "kept", RESULTS, NEW + b"garbage\n")
    assert (tmp_path / "kept.damaged").read_text() == "mine"
    assert (tmp_path / "kept.damaged-2").read_bytes() == ASIDE + b"garbage\n"


def test_zeros_of_a_crash(tmp_path: Path) -> None:
    """A file system may leave zeros where bytes had not reached the disk: at the end, or before what came later."""
    whole = all_of(RESULTS, NEW)
    header, *lines = NEW.splitlines(keepends=True)
    for zeros in (NEW + bytes(100), NEW[:-1] + bytes(30), header + bytes(40) + b"".join(lines), NEW + bytes(9) + b"\n"):
        assert opened(tmp_path / "kept", RESULTS, zeros) == whole
        assert (tmp_path / "kept").read_bytes() == NEW
    assert opened(tmp_path / "kept", RESULTS, bytes(10)) == {}
    image = tmp_path / "image"
    image.write_bytes(bytes(4096))
    with pytest.raises(InputError, match="expected a file of earlier results"):
        Journal(str(image), RESULTS)


ENTRY = {"key": f"{7:064x}", "metrics": RATES}


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY | {"key": 7},
        ENTRY | {"key": ""},
        ENTRY | {"key": "TP4"},
        ENTRY | {"metrics": []},
        ENTRY | {"metrics": {}},
        ENTRY | {"metrics": RATES | {"mean_tpot_ms": -1.0}},
        ENTRY | {"metrics": RATES | {"mean_tpot_ms": "1"}},
        ENTRY | {"metrics": RATES | {"mean_tpot_ms": True}},
        ENTRY | {"metrics": RATES | {"mean_tpot_ms": None}},
        ENTRY | {"metrics": RATES | {"mean_tpot_ms": math.nan}},
        ENTRY | {"metrics": RATES | {"mean_tpot_ms": math.inf}},
        ENTRY | {"metrics": RATES | {"mean_tpot_ms": 10**400}},
        ENTRY | {"more": 1},
        {"key": ENTRY["key"]},
        [],
        7,
    ],
    ids=lambda value: str(value)[-40:],
)
def test_metrics_that_cannot_be(entry: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = NEW + json.dumps(entry).encode() + b"\n"
    assert opened(tmp_path / "kept", RESULTS, data) == all_of(RESULTS, NEW)
    assert "line 7 is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        {"state": "fine", "reached": [0.2]},
        {"state": "stable", "reached": [0.2, 0.3]},
        {"state": "stable", "reached": 0.2},
        {"state": "stable", "reached": [-0.2]},
        {"state": "stable", "reached": [math.inf]},
        {"state": "stable"},
        {"probability": 1.0, "intervals": [[0.1, 0.2]], "each": [1.0]},
        None,
    ],
    ids=lambda value: str(value)[-40:],
)
def test_outcomes_that_cannot_be(content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = OLD + json.dumps({"key": "TP4 Off x9", "outcome": content}).encode() + b"\n"
    assert opened(tmp_path / "kept", LEDGER, data) == all_of(LEDGER, OLD)
    assert "line 13 is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{}\n", b"a,b\n1,2\n", b"mtpsim resulted\n", b"\x89PNG\r\n\x1a\n", OLD])
def test_only_our_own_file_is_touched(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    if not content:
        assert opened(path, RESULTS, content) == {}
        return
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"--results .*kept: found a file that begins with .*; expected a file of"):
        Journal(str(path), RESULTS)
    assert path.read_bytes() == content
    with pytest.raises(InputError, match="found a folder, pipe or device"):
        Journal(str(tmp_path), RESULTS)


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    with Journal(str(path), RESULTS) as first:
        first.begin()
        with pytest.raises(InputError, match="another run is writing there"):
            Journal(str(path), RESULTS)
        first.add({ENTRY["key"]: RATES})
    assert opened(path, RESULTS, path.read_bytes()) == {ENTRY["key"]: RATES}


def fill(path: Path, entries: dict[str, Any]) -> None:
    """The first entry alone, then all others at once."""
    first = next(iter(entries))
    with Journal(str(path), RESULTS) as journal:
        journal.add({first: entries[first]})
        journal.add({key: value for key, value in entries.items() if key != first})


def test_a_full_disk_keeps_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    room = [0]

    def write(handle: int, data: bytes, real: Any = os.write) -> int:
        """As much as there is room for, then ENOSPC."""
        done = real(handle, data[: room[0]]) if room[0] else 0
        room[0] -= done
        if not done:
            raise OSError(28, os.strerror(28))
        return int(done)

    lines = NEW.splitlines(keepends=True)
    for full in range(0, len(NEW), 53):
        path.unlink(missing_ok=True)
        room[0] = full
        monkeypatch.setattr(journal_module.os, "write", write)
        with pytest.raises(MachineError, match=r"kept: cannot be written: No space left"):
            fill(path, all_of(RESULTS, NEW))
        monkeypatch.undo()
        fitting = [n for n in range(len(lines) + 1) if len(b"".join(lines[:n])) <= full][-1]
        assert (path.read_bytes() if path.exists() else b"") == b"".join(lines[:fitting])
