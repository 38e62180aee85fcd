"""The current folder may be anybody's: nothing in it is imported or run, and no machine code is taken from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import simulator
from simulator.kernels.compiled import writable_by_others

TRAP = "open({mark!r}, 'a').write({name!r})\n"
NAMES = ("numpy", "click", "yaml", "numba", "scipy", "matplotlib", "rich", "pydantic", "joblib", "json", "platformdirs")
SWEEP = ["what-if", "sweep", "--tp", "2", "--mtp", "1", "--rates", "0.5", "--concurrency", "4,8,16,32", "--jobs", "2"]


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A folder full of modules that say when they are imported."""
    folder = tmp_path / "folder"
    (folder / "simulator").mkdir(parents=True)
    for name in (*NAMES, "simulator/__init__"):
        (folder / f"{name}.py").write_text(TRAP.format(mark=str(tmp_path / "mark"), name=name))
    (folder / ".numba_config.yaml").write_text("cache_dir: code\n")
    return folder


def ran(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    environment["PYTHONPATH"] = str(Path(simulator.__file__).parents[1])
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [["predict", "--concurrency", "4"], SWEEP], ids=["predict", "sweep with workers"])
def test_the_command_takes_nothing_from_the_current_folder(trapped: Path, arguments: list[str]) -> None:
    script = shutil.which("mtpsim", path=str(Path(sys.executable).parent))
    assert script is not None
    before = sorted(trapped.rglob("*"))
    done = ran(trapped, script, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (trapped.parent / "mark").exists()
    assert sorted(trapped.rglob("*")) == before


def test_the_module_is_safe_with_a_safe_path_and_only_then(trapped: Path) -> None:
    done = ran(trapped, sys.executable, "-P", "-m", "simulator", "predict", "--concurrency", "4")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (trapped.parent / "mark").exists()
    ran(trapped, sys.executable, "-m", "simulator", "predict", "--concurrency", "4")
    assert (trapped.parent / "mark").exists()


def test_a_folder_that_others_can_write_holds_no_machine_code(tmp_path: Path) -> None:
    folder = tmp_path / "above" / "cache"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    assert writable_by_others(folder) is None
    for one in (folder, folder.parent):
        one.chmod(0o777)
        assert writable_by_others(folder) == one
        one.chmod(0o700)
    folder.parent.chmod(0o1777)
    assert writable_by_others(folder) is None
