"""Say what is wrong with what an input left."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fuzzing.inputs import JOURNAL, Input
from fuzzing.outcome import SEEN, Finding, Outcome, Run, command, run_in
from fuzzing.printed import malformed, no_numbers

STATUSES = {0: "accepted", 1: "failed", 2: "refused", 3: "broken", 4: "unchecked"}
"""What an exit status says; 3: a promise is broken or a curve impossible, 4: a curve that nothing could judge."""
BUG = "this is a bug"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LEFT_BEHIND = (".part", ".tmp")


@dataclass(frozen=True)
class Verdict:
    """The exit status in words, and what is wrong."""

    status: str
    findings: tuple[Finding, ...]


def judge(one: Input, folder: Path, run: Run | None = None) -> Verdict:
    """Run an input in an empty folder.

    Args:
        run: instead of the command line of the simulator.
    """
    if run is None:
        from simulator.cli import run
    SEEN.clear()
    outcome = run_in(one, folder, run)
    findings = [*_crash(outcome), *_told(one, outcome), *_terminal(one, outcome), *_folder(one, outcome)]
    if outcome.status in (0, 3, 4):
        findings += [*malformed(one, outcome), *no_numbers(one, outcome, folder, run)]
    status = "crashed" if outcome.status is None else STATUSES.get(outcome.status, "crashed")
    return Verdict(status, tuple(findings))


def _crash(outcome: Outcome) -> Iterator[Finding]:
    for fault in SEEN:
        kind = "memory" if isinstance(fault, MemoryError) else "crash"
        yield Finding(kind, place(fault), "".join(traceback.format_exception(fault))[-6000:])
    if not SEEN and ("Traceback" in outcome.err or BUG in outcome.err):
        yield Finding("crash", "a sentence alone", outcome.err[-3000:])


def place(fault: BaseException) -> str:
    """File, function and type: where in the simulator an exception passed last."""
    frames = [f for f in traceback.extract_tb(fault.__traceback__) if "/simulator/" in f.filename]
    if not frames:
        return type(fault).__name__
    last = frames[-1]
    return f"{last.filename.rpartition('/simulator/')[2]}:{last.name} {type(fault).__name__}"


def _told(one: Input, outcome: Outcome) -> Iterator[Finding]:
    """Exit status and sentences."""
    if outcome.status is not None and outcome.status not in STATUSES:
        yield Finding("status", command(one), f"exit status {outcome.status}")
    said = outcome.err.startswith("mtpsim: ") and (outcome.status == 1 or "mtpsim: error: " in outcome.err)
    if outcome.status in (1, 2) and not said:
        yield Finding("sentence", command(one), outcome.err[:500])
    for line in outcome.err.splitlines():
        if found := re.search(r"/(\w+/\w+\.py):\d+: (\w+Warning): ", line):
            yield Finding("warning", f"{found[1]} {found[2]}", line)


def _terminal(one: Input, outcome: Outcome) -> Iterator[Finding]:
    for stream, text in (("stdout", outcome.out), ("stderr", outcome.err)):
        found = CONTROL.search(text)
        if found:
            near = text[max(0, found.start() - 60) : found.end() + 40]
            yield Finding(
                "escape",
                f"{stream} of {one.arguments[0] if one.arguments else ''}, status {outcome.status}",
                repr(near),
            )


def _folder(one: Input, outcome: Outcome) -> Iterator[Finding]:
    for name in outcome.files:
        if name.endswith(LEFT_BEHIND):
            yield Finding("left behind", name, name)
    for name, before in one.files.items():
        after = outcome.files.get(name)
        if after == before or (name == JOURNAL and after is not None and _kept(before, after, outcome.files)):
            continue
        yield Finding("destroyed", f"{name} by {one.arguments[0]}, status {outcome.status}", repr(after)[:300])


def _kept(before: bytes, after: bytes, files: Mapping[str, bytes]) -> bool:
    """Whether a journal lost nothing: appended to; or a file of ours whose every whole line is somewhere still, line
    endings aside."""
    if after.startswith(before):
        return True
    first = before.split(b"\n", 1)[0]
    beginnings = (b'{"plan": "', b"mtpsim results")
    if not any(ours in first or ours.startswith(first) for ours in beginnings):
        return False
    everything = b"\n".join(files.values())
    return all(line.rstrip(b"\r") in everything for line in before.split(b"\n")[1:-1] if _whole(line))


def _whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
