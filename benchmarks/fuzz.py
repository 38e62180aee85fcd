"""Mutated files and command lines against the whole program, in process: what crashes, hangs, lies or destroys?

::

    python benchmarks/fuzz.py --seconds 120 --jobs 2
    python benchmarks/fuzz.py --inputs 100000 --jobs 2 --journal fuzz.json
    python benchmarks/fuzz.py --only hardware:61

Every input is made by a kind (:mod:`fuzzing.kinds`) from ``(seed, kind, number)`` alone, on any machine and after any
interruption: mutations draw from generators seeded by these, not from Hypothesis, whose draws depend on the constants
it finds in whatever modules are loaded, nor from a fuzzer that is led by coverage, whose inputs depend on all before
them. Libraries do the rest: PyYAML composes and writes the nodes that are mutated, click tells every option,
faulthandler the stack of what hangs.

An input is wrong if it raises, hangs (20 s of processor time), takes 2 GB, ends in another status than 0 to 4, sends a
control character to the terminal, prints or writes ``nan`` or ``inf``, JSON that is none
or a formula for a spreadsheet, warns as Python does, changes a file that it was
given (a resume file may grow), leaves a draft behind, or is refused without the usual sentence. Findings are counted by
what and where, made small by leaving mutations out, and saved with their files. The exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

for pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")
os.environ.setdefault("COLUMNS", "100")
sys.path.insert(0, str(Path(__file__).parent))

from fuzzing import kinds, outcome, verdict, workers  # noqa: E402
from fuzzing.counts import Counts, save_input  # noqa: E402

Command = Callable[[list[str]], int]


def main(words: Sequence[str] | None = None, command: Command | None = None) -> int:
    """Fuzz; 1 if anything was found.

    Args:
        words: of the command line.
        command: instead of the command line of the simulator.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, help="how long, after the kernels are compiled")
    parser.add_argument("--inputs", type=int, help="how many, those of the journal among them")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--kinds", default="", help=f"of {', '.join(kinds.KINDS)}; default: all, by weight")
    parser.add_argument("--journal", type=Path, help="file to keep the counts in, and to go on from")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for what is found")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="run this input alone, and keep its files")
    parser.add_argument("--keep", help="with --only: numbers of the mutations that happen, such as 0,2")
    parser.add_argument("--limit", type=float, default=20.0, help="processor seconds of one input")
    parser.add_argument("--memory", type=float, default=2.0, help="GB of one input")
    asked = parser.parse_args(words)
    if asked.seconds is None and asked.inputs is None and asked.only is None:
        parser.error("expected --seconds, --inputs or --only")
    warm_up(command)
    if asked.only:
        return one_alone(asked, command)
    counts = Counts(asked.seed, tuple(filter(None, asked.kinds.split(","))))
    if asked.journal and asked.journal.exists():
        kept = Counts.load(asked.journal)
        if (kept.seed, kept.only) != (counts.seed, counts.only):
            parser.error(f"{asked.journal} is of seed {kept.seed} and kinds {kept.only or 'all'}; name another file")
        counts = kept
    run = workers.Run(asked.seed, kinds.wheel(counts.only), asked.limit, asked.memory * workers.GIGABYTE, command)
    fuzz(run, counts, asked)
    print(counts.table())
    for name, found in sorted(counts.findings.items()):
        print(f"{name}: {found['times']} times, --seed {counts.seed} --only {found['input']}{_kept(found['keep'])}")
    return 1 if counts.findings else 0


def fuzz(run: workers.Run, counts: Counts, asked: argparse.Namespace) -> None:
    """Run blocks until inputs or seconds are over, and count."""
    started = said = time.monotonic()
    deadline = None if asked.seconds is None else started + asked.seconds
    stops: dict[int, int] = {}
    parts: dict[int, Counts] = {}
    known = counts.known()

    def blocks() -> Iterator[tuple[int, int]]:
        for start, stop in workers.blocks(counts.next, asked.inputs, deadline):
            stops[start], parts[start] = stop, Counts(counts.seed, counts.only)
            yield start, stop

    for answer in workers.answers(run, blocks(), asked.jobs, known):
        for name in parts[answer.block].add(answer):
            finding = parts[answer.block].findings[name]
            if (finding["what"], finding["place"]) not in known:
                known.add((finding["what"], finding["place"]))
                tell(run, answer, name, finding, asked.findings)
        while counts.next in parts and parts[counts.next].inputs == stops[counts.next] - counts.next:
            counts.merge(parts.pop(counts.next))
            counts.next = stops[counts.next]
            if asked.journal:
                counts.save(asked.journal)
        if time.monotonic() > said + 30:
            said = time.monotonic()
            print(f"{sum(c.inputs for c in (counts, *parts.values()))} inputs, {said - started:.0f} s", flush=True)
        if deadline is not None and time.monotonic() > deadline:
            break
    for start in sorted(parts):
        counts.merge(parts[start])


def tell(run: workers.Run, answer: workers.Answer, name: str, finding: dict[str, Any], folder: Path) -> None:
    """Print and save what is new."""
    keep = None if answer.keep is None else frozenset(answer.keep)
    one = kinds.make(run.seed, answer.kind, answer.number, keep)
    save_input(folder, one, f"{name}\n{one.name}{_kept(answer.keep)}\n{finding['detail']}")
    print(f"{name}: --seed {run.seed} --only {one.name}{_kept(answer.keep)}", flush=True)


def one_alone(asked: argparse.Namespace, command: Command | None) -> int:
    """Run one input in this process, under the same limits, and keep its files."""
    name, _, number = asked.only.partition(":")
    keep = None if asked.keep is None else frozenset(int(k) for k in asked.keep.split(",") if k)
    one = kinds.make(asked.seed, name, int(number), keep)
    folder = Path(tempfile.mkdtemp())
    try:
        with workers.watched(asked.limit):
            found = verdict.judge(one, folder, command)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    detail = "\n".join(f"{f.what} {f.place}\n{f.detail}" for f in found.findings)
    place = save_input(asked.findings, one, f"{one.name}\n{found.status}\n{detail}")
    print(f"{found.status}\n{detail}\nfiles: {place}")
    return 1 if found.findings else 0


def warm_up(command: Command | None) -> None:
    """Compile the kernels, watch for exceptions, and let the program write its resume files."""
    from simulator import cli

    if command is None:
        outcome.watch()
    run: Command = command or cli.run
    lines = {"plan": kinds.PLAN, "sweep": kinds.SWEEP, "explain": ("explain",), "predict": ("predict", *kinds.CLOSED)}
    lines["replay"] = ("replay", "--concurrency", "1", "--duration", "5s")
    for name, line in lines.items():
        with tempfile.TemporaryDirectory() as folder:
            found = outcome.run_in(kinds.Input(name, line, {}), Path(folder), run)
        kinds.HARMLESS[name] = found.files.get(kinds.JOURNAL, b"")


def _kept(keep: Sequence[int] | None) -> str:
    return "" if keep is None else f" --keep {','.join(map(str, keep))}"


if __name__ == "__main__":
    sys.exit(main())
