"""Kill commands at random moments and print what was lost: nothing may be.

    python benchmarks/kill.py                     # 200 kills
    python benchmarks/kill.py --kills 20 --seed 1
    python benchmarks/kill.py --case plan --case predict

Each case runs once without a kill. Then it is killed (SIGKILL, every other time with its worker processes) at seeded
moments: uniformly within the time of the whole run, or as soon as its file has grown to a random size. After a kill the
target must hold the older good file or the new one, whole, and a journal its header and whole lines. The command is
started again, and mostly killed again; in the end its answer must be that of the uninterrupted run, byte for byte, and
every line that was whole after a kill must have been used, not computed again. Exit status 1 if anything was lost.

Commands are forks of one process that has imported and compiled everything, so that most of their time is work.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SWEEP = (
    "what-if sweep --tp 2 --mtp 1,2 --concurrency 4,8,16 --rates 0..1:6 --results kept --format csv --output answer.csv"
)
PLAN = "plan --rate 0.5 --isl 1024 --tp 4 --mtp 0 --ttft-p99 5s --resume kept --format json --output answer.json"
CALIBRATE = "calibrate curve.csv -o answer.yaml --no-cross-validation"
PREDICT = "predict --mtp 0 --concurrency 4,8 --method closed-form --plot answer.png"
CURVE = Path(__file__).parents[1] / "simulator/measurements/published/sglang_mi355x_8k1k.csv"
AGAIN = 0.7
"""Part of the runs after a kill that are killed again."""


@dataclass
class Case:
    """A command, the file that its answer goes to, and the journal that it keeps."""

    name: str
    words: list[str]
    answer: str
    journal: str | None = None
    good: bytes = b""
    lines: int = 0
    size: int = 0
    seconds: float = 0.0
    kills: int = 0
    whole: int = 0
    used: int = 0
    faults: list[str] = field(default_factory=list)


def cases(scheduler: str | None) -> list[Case]:
    """All of them; Dask only with a scheduler."""
    out = [Case("sweep, joblib", [*SWEEP.split(), "--jobs", "2"], "answer.csv", "kept")]
    if scheduler is not None:
        out.append(
            Case("sweep, Dask", [*SWEEP.split(), "--backend", "dask", "--scheduler", scheduler], "answer.csv", "kept")
        )
    return [
        *out,
        Case("plan --resume", PLAN.split(), "answer.json", "kept"),
        Case("calibrate -o", CALIBRATE.split(), "answer.yaml"),
        Case("predict --plot", PREDICT.split(), "answer.png"),
    ]


@contextlib.contextmanager
def cluster() -> Iterator[str | None]:
    """Address of a scheduler with two worker processes; None without Dask."""
    try:
        from distributed import LocalCluster
    except ModuleNotFoundError:
        yield None
        return
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        yield found.scheduler_address


class Server:
    """The process that forks a command at a time, each in a session of its own."""

    def __init__(self) -> None:
        """Start it."""
        words = [sys.executable, __file__, "--serve"]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, case: Case, folder: Path) -> int:
        """Begin a command; its process."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([case.words, str(folder)]) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def wait(self) -> int:
        """Exit status of the command, negative the signal that killed it."""
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def serve() -> None:
    """Fork a command for every line of standard input; print its process, then its exit status."""
    import distributed  # noqa: F401 - so that the forks have it

    from simulator.cli import main as mtpsim
    from simulator.cli import run

    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        for case in cases(None):
            folder = make_folder(case, Path(name))
            with contextlib.chdir(folder):
                run([*case.words, *(["--backend", "serial"] if "--jobs" in case.words else [])])
    for line in sys.stdin:
        words, folder = json.loads(line)
        child = os.fork()
        if not child:
            os.setsid()
            os.chdir(folder)
            for number, target in enumerate((os.devnull, os.devnull, "errors")):
                os.dup2(os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
            sys.argv = ["mtpsim", *words]
            sys.exit(mtpsim())
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def finished(case: Case, folder: Path, server: Server) -> None:
    """Run the command to its end; anything but exit status 0 and silence is a fault."""
    server.start(case, folder)
    status = server.wait()
    errors = (folder / "errors").read_text(encoding="utf-8")
    if status or errors:
        case.faults.append(f"exit status {status}: {errors.strip()[-300:]}")


def make_folder(case: Case, base: Path) -> Path:
    """A fresh folder with the inputs."""
    folder = Path(tempfile.mkdtemp(dir=base))
    if "curve.csv" in case.words:
        rows = CURVE.read_text(encoding="utf-8").splitlines()
        (folder / "curve.csv").write_text("\n".join(rows[:9]) + "\n", encoding="utf-8")
    return folder


def whole_lines(folder: Path, case: Case) -> list[bytes]:
    """Lines of the journal that end in a line break, but for the header."""
    file = folder / str(case.journal)
    return file.read_bytes().split(b"\n")[1:-1] if case.journal and file.exists() else []


def alive(process: int) -> bool:
    """Whether it still runs."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def kill_once(case: Case, folder: Path, chance: random.Random, server: Server) -> None:
    """Start the command and kill it at a random moment."""
    until = time.monotonic() + chance.random() * case.seconds
    size = chance.randrange(1, case.size) if case.journal and chance.random() < 0.5 else None
    with_workers = chance.random() < 0.5
    process = server.start(case, folder)
    if size is None:
        time.sleep(max(0.0, until - time.monotonic()))
    else:
        file = folder / str(case.journal)
        while alive(process) and not (file.exists() and file.stat().st_size >= size):
            time.sleep(0.001)
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if with_workers else os.kill)(process, signal.SIGKILL)
    case.kills += server.wait() == -signal.SIGKILL


def check_after_kill(case: Case, folder: Path, older: bytes | None, before: Sequence[bytes]) -> list[bytes]:
    """No half file anywhere, and every line that was whole before still stands."""
    target = folder / case.answer
    found = target.read_bytes() if target.exists() else None
    if found not in (older, case.good):
        case.faults.append(f"{case.answer} is neither the older file nor the new one")
    lines = whole_lines(folder, case)
    if lines[: len(before)] != list(before):
        case.faults.append("lines that were whole are gone")
    return lines


def journey(case: Case, base: Path, chance: random.Random, server: Server) -> None:
    """Kill, perhaps again, and finish."""
    folder = make_folder(case, base)
    older = None
    if chance.random() < 0.5:
        older = older_answer(case)
        (folder / case.answer).write_bytes(older)
    lines: list[bytes] = []
    while True:
        kill_once(case, folder, chance, server)
        lines = check_after_kill(case, folder, older, lines)
        if chance.random() >= AGAIN or len(lines) == case.lines > 0:
            break
    finished(case, folder, server)
    after = whole_lines(folder, case)
    case.whole += len(lines)
    case.used += sum(a == b for a, b in zip(lines, after, strict=False))
    if case.journal and (after[: len(lines)] != lines or len(after) != case.lines):
        case.faults.append(f"{len(lines)} whole lines became {len(after)}, expected {case.lines} in the same order")
    if (folder / case.answer).read_bytes() != case.good:
        case.faults.append("the answer is not that of the uninterrupted run")
    parts = [p.name for p in folder.iterdir() if p.suffix in (".part", ".tmp")]
    if parts:
        case.faults.append(f"left behind: {', '.join(parts)}")
    shutil.rmtree(folder)


def older_answer(case: Case) -> bytes:
    """A good file of the same kind with other content."""
    if case.answer.endswith(".png"):
        return case.good + b"older"
    if case.answer.endswith(".json"):
        return case.good[:-2] + b" \n}\n"
    return case.good + (b"# older\n" if case.answer.endswith(".yaml") else case.good.split(b"\n")[1] + b"\n")


def uninterrupted(case: Case, base: Path, server: Server) -> None:
    """What the answer is, how many lines the journal has, and how long it takes."""
    folder = make_folder(case, base)
    begin = time.monotonic()
    finished(case, folder, server)
    case.seconds = time.monotonic() - begin
    case.good = (folder / case.answer).read_bytes()
    case.lines = len(whole_lines(folder, case))
    case.size = (folder / case.journal).stat().st_size if case.journal else 0
    shutil.rmtree(folder)


def table(found: Sequence[Case]) -> str:
    """One line per case."""
    lines = [f"{'command':16} {'s':>5} {'kills':>6} {'whole lines':>12} {'used again':>11} {'faults':>7}"]
    lines += [f"{c.name:16} {c.seconds:5.1f} {c.kills:6} {c.whole:12} {c.used:11} {len(c.faults):7}" for c in found]
    total = f"{'all':16} {'':5} {sum(c.kills for c in found):6} {sum(c.whole for c in found):12} "
    return "\n".join([*lines, total + f"{sum(c.used for c in found):11} {sum(len(c.faults) for c in found):7}"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", action="append", help="only cases whose name contains this; repeatable")
    parser.add_argument("--verbose", action="store_true", help="the table after every few kills")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve()
        return 0
    chance = random.Random(options.seed)
    server = Server()
    with contextlib.closing(server), cluster() as scheduler, tempfile.TemporaryDirectory() as name:
        chosen = [c for c in cases(scheduler) if not options.case or any(part in c.name for part in options.case)]
        for case in chosen:
            uninterrupted(case, Path(name), server)
        if not any(case.faults for case in chosen):
            while sum(case.kills for case in chosen) < options.kills:
                journey(min(chosen, key=lambda c: c.kills), Path(name), chance, server)
                if options.verbose:
                    print(table(chosen), flush=True)
    print(table(chosen))
    for case in chosen:
        for fault in case.faults:
            print(f"{case.name}: {fault}")
    return int(any(case.faults for case in chosen))


if __name__ == "__main__":
    sys.exit(main())
