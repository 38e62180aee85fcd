"""Machine code on disk: seen to be stale when any file changes, outside the package, and missed without a fuss."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from numba.core.caching import IndexDataCacheFile

import simulator.kernels

COMPILED = Path(simulator.kernels.__file__).with_name("compiled.py")
CALLEE = """
from typing import NamedTuple
from pkg.compiled import compiled

class Pair(NamedTuple):
    a: float
    b: float

@compiled
def times(pair):
    return pair.a * pair.b
"""
CALLER = """
from pkg.callee import Pair, times
from pkg.compiled import compiled

@compiled
def answer(pair):
    return times(pair) + 1.0
"""
ASK = """
import json, sys
from pkg import callee, caller
pair = next(kind for kind in vars(callee).values() if getattr(kind, "_fields", None))
number = caller.answer(pair(2.0, 3.0))
stats = getattr(caller.answer, "stats", None)
print(json.dumps([number, sum(stats.cache_hits.values()) if stats else None]))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two kernels in two files with the real decorator."""
    folder = tmp_path / "work" / "pkg"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    shutil.copy(COMPILED, folder)
    (folder / "callee.py").write_text(CALLEE)
    (folder / "caller.py").write_text(CALLER)
    return folder


def run(code: str, folder: Path, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh process whose user's cache is ``cache``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    own = {"XDG_CACHE_HOME": str(cache), "HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = kept | own | environment
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )


def ask(package: Path, cache: Path, **environment: str) -> tuple[float, int | None, str]:
    """The number, how often the caller came from the disk, and what was said on standard error."""
    done = run(ASK, package.parent, cache, **environment)
    number, hits = json.loads(done.stdout)
    return number, hits, done.stderr


def edit(package: Path, file: str, old: str, new: str) -> None:
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, new))


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def test_an_edit_of_a_callee_in_another_file_is_seen(package: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert ask(package, cache) == (7.0, 0, "")
    assert ask(package, cache) == (7.0, 1, "")
    edit(package, "callee.py", "pair.a * pair.b", "pair.a * pair.b * 2.0")
    assert ask(package, cache) == (13.0, 0, "")
    assert ask(package, cache) == (13.0, 1, "")


def test_an_edit_may_remove_a_type_that_the_old_machine_code_took(package: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert ask(package, cache) == (7.0, 0, "")
    edit(package, "callee.py", "Pair(", "Couple(")
    edit(package, "caller.py", "Pair", "Couple")
    assert ask(package, cache) == (7.0, 0, "")


def test_the_installed_numba_has_what_carries_the_stamp() -> None:
    assert {"_source_stamp", "_version"} <= vars(IndexDataCacheFile("folder", "name", "stamp")).keys()


def test_nothing_appears_beside_the_package(package: Path, tmp_path: Path) -> None:
    before = files(tmp_path / "work")
    ask(package, tmp_path / "cache")
    assert files(tmp_path / "work") == before
    (folder,) = (tmp_path / "cache").iterdir()
    assert folder.name == "mtpsim"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.suffix for path in files(folder)} == {".nbi", ".nbc"}


def test_the_environment_chooses_the_folder(package: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    before = files(tmp_path / "work")
    for hits in (0, 1):
        assert ask(package, tmp_path / "cache", NUMBA_CACHE_DIR=str(chosen)) == (7.0, hits, "")
    assert {path.suffix for path in files(chosen)} == {".nbi", ".nbc"}
    assert not (tmp_path / "cache").exists()
    assert files(tmp_path / "work") == before


@pytest.mark.parametrize("place", ["file/cache", "/proc/cache"])
@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "NUMBA_CACHE_DIR"])
def test_without_a_place_to_write_kernels_are_compiled_and_it_is_said_once(
    package: Path, tmp_path: Path, place: str, variable: str
) -> None:
    (tmp_path / "file").touch()
    nowhere = {variable: str(tmp_path / place)}
    before = files(tmp_path)
    number, hits, said = ask(package, tmp_path / "cache", **nowhere)
    assert (number, hits) == (7.0, 0)
    assert len(said.splitlines()) == 1
    assert "kernels are compiled in every process" in said
    assert files(tmp_path) == before


def test_the_package_itself_works_without_a_place_to_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = "from simulator import kernels as kn; print(kn.distinct_experts(512.0, 10.0, 0.0, 1.0))"
    root = Path(simulator.__file__).parents[1]
    done = run(code, root, tmp_path / "file")
    assert float(done.stdout) == pytest.approx(10.0, rel=1e-12)
    assert len(done.stderr.splitlines()) == 1


def test_without_the_compiler_there_is_nothing_to_keep_and_nothing_to_say(package: Path, tmp_path: Path) -> None:
    nowhere: dict[str, Any] = {"XDG_CACHE_HOME": "/proc/cache", "NUMBA_DISABLE_JIT": "1"}
    assert ask(package, tmp_path / "cache", **nowhere) == (7.0, None, "")


def test_machine_code_is_not_taken_from_a_folder_that_others_can_write(package: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    assert ask(package, tmp_path / "cache", NUMBA_CACHE_DIR=str(chosen))[:2] == (7.0, 0)
    chosen.chmod(0o777)
    number, hits, said = ask(package, tmp_path / "cache", NUMBA_CACHE_DIR=str(chosen))
    assert (number, hits) == (7.0, 0)
    assert f"others can write to {chosen}" in said
    chosen.chmod(0o700)
    assert ask(package, tmp_path / "cache", NUMBA_CACHE_DIR=str(chosen))[:2] == (7.0, 1)
