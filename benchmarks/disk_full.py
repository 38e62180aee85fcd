"""Every command with standard output full or closed, standard error full or closed, and its files on a full disk.

    python benchmarks/disk_full.py
    python benchmarks/disk_full.py --case predict

Where the answer cannot be written there must be exit status 1, one line on standard error, no traceback, and nothing
new or changed in the folder; where only standard error is gone, the answer and the exit status as ever. The full disk
is a tmpfs with no room where one can be mounted (root), else a process that may not write a byte to a file. Prints a
table; exit status 1 if a cell is not as it must be.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PUBLISHED = Path(__file__).parents[1] / "simulator/measurements/published"
ATOM, SGLANG = PUBLISHED / "atom_mi355x_tp4.csv", PUBLISHED / "sglang_mi355x_8k1k.csv"
TRACE = Path(__file__).parents[1] / "tests/traffic/data/mooncake.jsonl"
QUICK = ["--method", "closed-form"]
FEW = ["--select", "precision=FP8 and isl=1024 and osl=1024 and concurrency <= 8"]
POINT = ["--tp", "2", "--concurrency", "4"]
SMALL = ["--select", "precision=FP4 and concurrency<=8"]
COMMANDS: dict[str, list[str]] = {
    "predict": ["predict", "--mtp", "0", "--concurrency", "4", *QUICK],
    "compare": ["compare", "--tp", "2", "--concurrency", "4,8,16", *QUICK],
    "explain": ["explain", "--concurrency", "4"],
    "calibrate": ["calibrate", str(SGLANG), "--select", "tp=2 and spec=off", "--no-cross-validation"],
    "evaluate": ["evaluate", str(SGLANG), *SMALL, *QUICK],
    "validate": ["validate", str(SGLANG), *SMALL, *QUICK],
    "what-if acceptance": ["what-if", "acceptance", "--rates", "0.5", *POINT, *QUICK],
    "what-if depth": ["what-if", "depth", "--mtp", "2", *POINT, *QUICK],
    "what-if workload": ["what-if", "workload", "--across-isl", "1024", "--across-osl", "128", *POINT, *QUICK],
    "what-if sensitivity": ["what-if", "sensitivity", "--samples", "16", *POINT],
    "what-if sweep": ["what-if", "sweep", "--mtp", "1", "--rates", "0.5", *POINT, *QUICK],
    "infer-acceptance": ["infer-acceptance", str(ATOM), str(ATOM), *FEW, *QUICK],
    "simulate": ["simulate", "--rate", "2", "--tp", "4", "--duration", "2min"],
    "describe-trace": ["describe-trace", str(TRACE)],
    "plan": ["plan", "--rate", "0.5", "--tp", "4", "--mtp", "0", "--ttft-p99", "5s"],
    "suggest": ["suggest", "--top", "1"],
    "profiles": ["profiles"],
}
"""Name -> arguments, as little work as each can be asked for."""

FILES: dict[str, list[list[str]]] = {
    "predict": [["--plot", "a.png"]],
    "calibrate": [],
    "simulate": [["--requests", "a.csv"]],
    "plan": [["--resume", "a.jsonl"]],
    "what-if sweep": [["--results", "a.jsonl", "--method", "des", "--backend", "serial"]],
}
"""Options that write further files; every command but calibrate has ``--output``."""

NORMAL = (0, 3, 4)
"""Exit statuses of an answer."""


@dataclass(frozen=True)
class Outcome:
    """What a process ended with."""

    status: int
    out: str
    err: str

    @property
    def failed_well(self) -> bool:
        """Exit status 1 and one sentence."""
        return self.status == 1 and self.err.startswith("mtpsim: error: ") and self.err.count("\n") == 1


def ended(words: Sequence[str], folder: Path, shell: str = "", before: Callable[[], None] | None = None) -> Outcome:
    """Run a command line, with redirections as a shell writes them."""
    code = "import sys; from simulator.cli import main; sys.exit(main())"
    line = ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, "-c", code, *words]
    process = subprocess.run(line, cwd=folder, capture_output=True, text=True, preexec_fn=before, check=False)
    return Outcome(process.returncode, process.stdout, process.stderr)


@contextlib.contextmanager
def full_disk(base: Path) -> Iterator[tuple[Path, Callable[[], None] | None]]:
    """A folder without room, and what a process must do to have none."""
    folder = base / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            (folder / "filling").write_bytes(bytes(4096))
            yield folder, None
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    else:
        yield folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def row(name: str, words: Sequence[str], room: Path, full: Path, limit: Callable[[], None] | None) -> dict[str, str]:
    """A cell per way to fail: ``ok`` or what is wrong."""
    target = ["-o", "fit.yaml"] if name == "calibrate" else []
    asked = [*words, *target]
    good = ended(asked, room)
    cells = {"as ever": "ok" if good.status in NORMAL and not good.err else str(good)}
    for title, shell in (("stdout full", ">/dev/full"), ("stdout closed", ">&-")):
        before = content(room)
        found = ended(asked, room, shell)
        fine = found.failed_well and not found.out and content(room) == before
        cells[title] = "ok" if fine else str(found)
    for title, shell in (("stderr full", "2>/dev/full"), ("stderr closed", "2>&-")):
        found = ended(asked, room, shell)
        cells[title] = "ok" if (found.status, found.out) == (good.status, good.out) else str(found)
    before = content(full)
    faults = []
    for option in [target or ["--output", "answer"], *FILES.get(name, [])]:
        found = ended([*words, *option], full, before=limit)
        if not found.failed_well or content(full) != before:
            faults.append(f"{' '.join(option)}: {found}")
    cells["disk full"] = "; ".join(faults) or "ok"
    return cells


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if a cell is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", help="only commands whose name contains this; repeatable")
    options = parser.parse_args(arguments)
    chosen = {n: w for n, w in COMMANDS.items() if not options.case or any(part in n for part in options.case)}
    wrong = []
    with tempfile.TemporaryDirectory() as base, full_disk(Path(base)) as (full, limit):
        room = Path(base) / "room"
        room.mkdir()
        for name, words in chosen.items():
            cells = row(name, words, room, full, limit)
            if name == next(iter(chosen)):
                print(f"{'command':20}" + "".join(f"{title:>15}" for title in cells))
            print(
                f"{name:20}" + "".join(f"{'ok' if cell == 'ok' else 'WRONG':>15}" for cell in cells.values()),
                flush=True,
            )
            wrong += [f"{name}, {title}: {cell}" for title, cell in cells.items() if cell != "ok"]
    for line in wrong:
        print(line)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
