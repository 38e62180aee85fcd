"""The old file or the new one, whole; and nothing in place of a file of another kind."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from simulator.errors import InputError, MachineError
from simulator.files import writing
from simulator.files.kinds import CALIBRATION, KERNEL_PRIORS, PICTURE, RESULT, SIGNATURE, Glimpse, Kind, described
from simulator.files.writing import check_place, write_file, written

PNG = b"\x89PNG\r\n\x1a\n\x00"
SVG = b"<?xml version='1.0'?>\n<!DOCTYPE svg>\n<svg xmlns='http://www.w3.org/2000/svg'/>"
TEXT = f"clients\n      4\n\n{SIGNATURE}\n".encode()
OURS: list[tuple[Kind, bytes]] = [
    (RESULT, b'{\n "meta": {},\n "rows": []\n}\n'),
    (RESULT, b"concurrency,tp,total_tok_s_gpu,scope,scope_reasons\n4,2,1,inside,\n"),
    (RESULT, b"request,replica,arrival_s,input_tokens,output_tokens,rounds,ttft_ms,tpot_ms,e2e_ms\n"),
    (RESULT, b"kind,name,summary\n"),
    (RESULT, b"name,value,unit,scale,sd,low,high,meaning,source,fitted,family\n"),
    (RESULT, b"parameter,value,unit,sd,rows,source\n"),
    (RESULT, TEXT),
    (PICTURE, PNG),
    (PICTURE, SVG),
    (PICTURE, b"%PDF-1.4\n"),
    (CALIBRATION, b"# mine\nformat: 1\nname: fit\nparameters: {}\n"),
    (KERNEL_PRIORS, b"name: mine\nhardware: h200\ntables: []\nfits: []\nparameters: {}\n"),
]
OTHERS = [
    b"# Read me\n",
    b"hardware,model,precision,engine,spec,isl,osl,tp,concurrency,mean_tpot_ms\nMI355X,m,FP4,ATOM,off,1,1,1,1,9\n",
    b"name,value,unit\na,1,s\n",
    b"concurrency,tp,total_tok_s_gpu\n4,2,1\n",
    b"scope,scope_reasons,mine\n",
    b'{"meta": {}}',
    b'{"rows": []}\n',
    TEXT + b"and my notes\n",
    b"import os\n",
    b"name: mine\nvendor: amd\n",
    b"<?xml version='1.0'?>\n<html/>",
    b"\0\0\0",
    b'a,"b\nc\0',
    "Übersicht\n".encode("latin-1"),
    b'{"plan": "00"}\n',
    b"mtpsim results\n",
]


@pytest.mark.parametrize(("kind", "old"), OURS)
def test_a_file_of_the_same_kind_is_replaced(kind: Kind, old: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(old)
    write_file("--output", path, kind, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("kind", [RESULT, PICTURE, CALIBRATION, KERNEL_PRIORS], ids=lambda kind: kind.name)
def test_a_file_of_another_kind_stays(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    for old in [*OTHERS, *(old for other, old in OURS if other is not kind)]:
        path.write_bytes(old)
        for attempt in (check_place, lambda *where: write_file(*where, "new")):
            with pytest.raises(InputError) as fault:
                attempt("--output", path, kind)
            assert str(fault.value).startswith(f"--output {path}: found ")
            assert f"expected {kind.name}" in str(fault.value)
            assert "mine-2.txt" in str(fault.value)
        assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_what_was_found_is_shown_without_control_characters() -> None:
    assert described(Glimpse(b"\x1b]0;title\x07\nx", b"")) == "a file that begins with '\\x1b]0;title\\x07'"
    assert described(Glimpse(PNG, PNG)) == PICTURE.name
    assert described(Glimpse(b"\x7fELF\0", b"")) == "a binary file"


def test_an_empty_file_is_replaced_and_permissions_and_links_are_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "real", tmp_path / "link"
    path.write_bytes(b"")
    path.chmod(0o640)
    link.symlink_to(path)
    write_file("--output", link, RESULT, "new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    mask = os.umask(0o027)
    try:
        write_file("--output", tmp_path / "fresh", RESULT, "new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o640


def no_space(*_: Any, **__: Any) -> Any:
    raise OSError(28, os.strerror(28))


def interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def half(then: Callable[..., Any]) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(b"half")
        file.flush()
        then()

    return write


@pytest.mark.parametrize("then", [no_space, interrupt])
@pytest.mark.parametrize("where", ["content", "fsync", "replace"])
def test_a_failure_at_any_step_leaves_the_old_file_alone(
    then: Callable[..., Any], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(TEXT)
    if where != "content":
        monkeypatch.setattr(writing.os, where, then)
    with pytest.raises(MachineError if then is no_space else KeyboardInterrupt):
        write_file("--output", path, RESULT, half(then) if where == "content" else "new")
    assert path.read_bytes() == TEXT
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_draft_whose_writer_was_killed_is_removed_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file [1].png"
    (tmp_path / ".file [1].png.1.part").write_bytes(b"half")
    (tmp_path / ".other.png.1.part").write_bytes(b"half")

    def meanwhile(file: BinaryIO) -> None:
        (draft,) = tmp_path.glob(f".file*{os.getpid()}.part")
        writing._sweep(path)
        assert draft.exists()
        file.write(PNG)

    write_file("--plot", path, PICTURE, meanwhile)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.png.1.part", "file [1].png"]


def test_a_name_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    write_file("--output", tmp_path / ("n" * 255), RESULT, "new")
    assert [len(p.name) for p in tmp_path.iterdir()] == [255]


def test_a_file_that_the_user_protected_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(TEXT)
    monkeypatch.setattr(writing.os, "access", lambda *_: False)  # root may write anything
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        write_file("--output", path, RESULT, "new")
    assert path.read_bytes() == TEXT


def test_devices_and_pipes_are_written_to(tmp_path: Path) -> None:
    write_file("--output", os.devnull, RESULT, "new")
    with pytest.raises(MachineError, match="No space left"):
        write_file("--output", "/dev/full", RESULT, "new")


def test_what_was_written_is_known(tmp_path: Path) -> None:
    with written() as files:
        write_file("--output", tmp_path / "a", RESULT, "new")
    write_file("--output", tmp_path / "b", RESULT, "new")
    assert files == [str(tmp_path / "a")]
