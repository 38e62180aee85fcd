"""A copy of the working tree in which one file at a time is another, and the tests that are run in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".hypothesis", "*.sqlite", "notebooks")

HAND = (
    *("tests/cost/test_hand_computed.py", "tests/cost/test_hand_computed_small.py"),
    *("tests/facts/test_sizes.py", "tests/facts/test_layer_groups.py"),
    *("tests/facts/test_mixer_shapes.py", "tests/facts/test_draft_shapes.py"),
)
COST = ("tests/cost",)
PIECES = tuple(
    f"tests/kernels/test_{name}.py"
    for name in (
        *("heap", "passes", "replica_pieces", "records", "distinct_experts", "reuse_distance"),
        *("closed_form_pieces", "closed_forms_whole", "closed_form_alarms"),
    )
)
EVENTS = (
    "tests/kernels/test_serve_theory.py",
    "--deselect=tests/kernels/test_serve_theory.py::test_open_loop_is_an_m_g_1_queue",
    "--deselect=tests/kernels/test_serve_theory.py::test_front_end_and_single_server_are_a_product_form_network",
)
"""But for the two that take half a minute without the compiler."""


class Stage(NamedTuple):
    """Tests that are run together; ``compiled``: by numba, which takes five times as long, else as plain Python."""

    tests: tuple[str, ...]
    compiled: bool = False


def stages(path: str) -> tuple[Stage, ...]:
    """The tests for a mutant of a file, the quickest first: a later stage is run if the earlier ones let it pass."""
    if path.endswith("kernels/compiled.py"):
        return (Stage(("tests/kernels/test_cache.py",), compiled=True),)
    if path.endswith("kernels/fleet.py"):
        return Stage(("tests/kernels/test_replica_pieces.py",)), Stage(("tests/serving/test_fleet_theory.py",), True)
    if "/kernels/" in path:
        return Stage(PIECES), Stage(EVENTS)
    if path.endswith(("cost/parameters.py", "cost/calibration.py", "cost/measured.py")):
        return Stage(("tests/cost/test_parameters.py", "tests/cost/test_calibration_file.py")), Stage(HAND), Stage(COST)
    return Stage(HAND), Stage(COST)


class Outcome(NamedTuple):
    """What became of a mutant (``killed``, ``timeout`` or ``survived``), after how long, and pytest's last words."""

    verdict: str
    seconds: float
    words: str


class Tree:
    """A copy of the working tree. Machine code and byte code are kept nowhere, so that none is stale."""

    def __init__(self, folder: Path) -> None:
        """Copy to a folder that does not exist yet."""
        self.folder = folder
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        self._server: subprocess.Popen[str] | None = None

    def close(self) -> None:
        """End the server of the tests."""
        if self._server is not None:
            self._server.stdin.close()
            self._server.wait()

    @contextmanager
    def changed(self, path: str, text: str) -> Iterator[None]:
        """One file has another text meanwhile."""
        file = self.folder / path
        before = file.read_bytes()
        file.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            file.write_bytes(before)

    def run(self, path: str, limit: float) -> Outcome:
        """The stages of a file up to the first that fails; ``limit``: seconds for each, plain."""
        began = time.monotonic()
        for stage in stages(path):
            verdict, words = self._pytest(stage, limit)
            if verdict != "survived":
                break
        return Outcome(verdict, time.monotonic() - began, words)

    def _pytest(self, stage: Stage, limit: float) -> tuple[str, str]:
        options = ["-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", *stage.tests]
        output = self.folder / "said.txt"
        status = (self._compiled if stage.compiled else self._plain)(options, output, limit)
        if status is None:
            return "timeout", f"over {limit:g} s"
        said = output.read_text(encoding="utf-8", errors="replace")
        words = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))] or said.splitlines()[-1:]
        if status > 2:
            raise SystemExit(f"pytest ended with {status}:\n{said}")
        return ("survived" if status == 0 else "killed"), " ".join(words)[:200]

    def _environment(self, plain: bool) -> dict[str, str]:
        own = {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_DISABLE_JIT": str(int(plain))}
        kept = tempfile.mkdtemp(dir=self.folder)
        return os.environ | own | {"NUMBA_CACHE_DIR": kept, "HYPOTHESIS_STORAGE_DIRECTORY": kept}

    def _plain(self, options: list[str], output: Path, limit: float) -> int | None:
        """Exit status of pytest in a fork of the server; None: it took too long."""
        server = self._server
        if server is None:
            command = [sys.executable, str(Path(__file__).with_name("mutant_server.py"))]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            server = subprocess.Popen(command, cwd=self.folder, env=self._environment(plain=True), **pipes)
            self._server = server
        server.stdin.write(json.dumps([options, str(output)]) + "\n")
        server.stdin.flush()
        child = int(server.stdout.readline())
        timer = threading.Timer(limit, os.killpg, (child, signal.SIGKILL))
        timer.start()
        status = int(server.stdout.readline())
        timer.cancel()
        return None if status == -signal.SIGKILL else status

    def _compiled(self, options: list[str], output: Path, limit: float) -> int | None:
        """The same in a process from scratch, with the compiler."""
        command = [sys.executable, "-m", "pytest", *options]
        with output.open("w") as file:
            places = {"cwd": self.folder, "stdout": file, "stderr": subprocess.STDOUT, "start_new_session": True}
            process = subprocess.Popen(command, env=self._environment(plain=False), **places)
            try:
                return process.wait(5 * limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return None


@contextmanager
def copies(count: int) -> Iterator[Sequence[Tree]]:
    """So many copies of the tree in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="mutants") as folder:
        trees = [Tree(Path(folder) / str(i)) for i in range(count)]
        try:
            yield trees
        finally:
            for tree in trees:
                tree.close()
