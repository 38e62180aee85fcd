"""Ledgers of plans and results of sweeps: cut, glued, damaged, of another kind."""

from __future__ import annotations

from fuzzing.inputs import JOURNAL, SMALL, Made, Steps, kind
from fuzzing.measured import pair
from fuzzing.profiles import shipped
from fuzzing.traffic import mutated_lines

PLAN = (
    "plan", *SMALL, "--rate", "0.5", "--mtp", "0", "--ttft-p50", "20s", "--max-running", "2", "--resume", JOURNAL,
)  # fmt: skip
SWEEP = (
    "what-if", "sweep", *SMALL, "--mtp", "1", "--rates", "0,1", "--concurrency", "1", "--requests-per-client", "2",
    "--backend", "serial", "--results", JOURNAL,
)  # fmt: skip
HARMLESS: dict[str, bytes] = {}
"""Complete ledgers, written at the start by ``plan`` and ``sweep`` themselves."""


@kind(6)
def resume(steps: Steps) -> Made:
    """Resume files."""
    plan = steps.rng.random() < 0.03
    content = HARMLESS["plan" if plan else "sweep"]
    roll = steps.rng.random()
    if roll < 0.25:
        content = content[: steps.rng.randint(0, len(content))]
    elif roll < 0.35:
        others = [pair()[0], shipped("hardware_profiles")[0], b"x", b"\n", b"\xff\xfe\n", b"{}", b"[]\n", b"3\n"]
        content = steps.rng.choice(others)
    else:
        content = mutated_lines(steps, content.decode().splitlines())
    return PLAN if plan else SWEEP, {JOURNAL: content}
