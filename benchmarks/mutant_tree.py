"""A copy of the working tree in which one file at a time is another, and the tests that are run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".hypothesis", "*.sqlite", "notebooks")

QUICK_KERNELS = (
    *(f"tests/kernels/test_{name}.py" for name in ("heap", "passes", "replica_pieces", "records", "distinct_experts")),
    "tests/kernels/test_closed_form_pieces.py",
    "tests/kernels/test_closed_forms_whole.py",
    "tests/kernels/test_closed_form_alarms.py",
    "tests/kernels/test_serve_theory.py",
    "--deselect=tests/kernels/test_serve_theory.py::test_open_loop_is_an_m_g_1_queue",
    "--deselect=tests/kernels/test_serve_theory.py::test_front_end_and_single_server_are_a_product_form_network",
)
COST = (
    "tests/cost/test_hand_computed.py",
    "tests/cost/test_hand_computed_small.py",
    "tests/cost",
    "--ignore=tests/cost/test_kernel_priors.py",
    "tests/facts/test_sizes.py",
)
"""What is asked of a mutant of the cost model; all in a few seconds without the compiler."""


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
        return (Stage(QUICK_KERNELS),)
    if path.endswith(("cost/parameters.py", "cost/calibration.py", "cost/measured.py")):
        return Stage(("tests/cost/test_parameters.py", "tests/cost/test_calibration_file.py")), Stage(COST)
    return (Stage(COST),)


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
        options = ("-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider")
        with tempfile.TemporaryDirectory() as cache:
            environment = os.environ | {
                "PYTHONPATH": str(self.folder),
                "PYTHONDONTWRITEBYTECODE": "1",
                "NUMBA_DISABLE_JIT": str(int(not stage.compiled)),
                "NUMBA_CACHE_DIR": cache,
                "HYPOTHESIS_STORAGE_DIRECTORY": cache,
            }
            command = [sys.executable, "-m", "pytest", *options, *stage.tests]
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                said, _ = process.communicate(timeout=limit * (5 if stage.compiled else 1))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.communicate()
                return "timeout", f"over {limit:g} s"
        words = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))] or said.splitlines()[-3:]
        if process.returncode > 2:
            raise SystemExit(f"pytest ended with {process.returncode}:\n{said}")
        return ("survived" if process.returncode == 0 else "killed"), " ".join(words)[:200]


@contextmanager
def copies(count: int) -> Iterator[Sequence[Tree]]:
    """So many copies of the tree in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="mutants") as folder:
        yield [Tree(Path(folder) / str(i)) for i in range(count)]
