"""Command lines from the grammar of every option."""

from __future__ import annotations

from fuzzing import grammar
from fuzzing.configurations import EXAMPLE
from fuzzing.inputs import CLOSED, SMALL, Made, Steps, kind
from fuzzing.measured import pair
from fuzzing.profiles import shipped
from fuzzing.resuming import PLAN, SWEEP
from fuzzing.traffic import PAIRS

Words = tuple[str, ...]

CHEAP: dict[Words, tuple[str, ...]] = {
    ("predict",): CLOSED,
    ("compare",): (*CLOSED, "--tp", "2"),
    ("calibrate",): ("m.csv", "--no-cross-validation", "-o", "fit.yaml"),
    ("evaluate",): ("m.csv", "--method", "closed-form"),
    ("validate",): ("m.csv", "--method", "closed-form"),
    ("what-if", "acceptance"): (*CLOSED, "--rates", "0,1"),
    ("what-if", "depth"): (*CLOSED, "--mtp", "2"),
    ("what-if", "workload"): (*CLOSED, "--across-isl", "64,128"),
    ("what-if", "sensitivity"): ("--samples", "16", "--concurrency", "4"),
    ("what-if", "sweep"): SWEEP[2:-2],
    ("what-if", "cache"): ("--concurrency", "2", "--duration", "5s"),
    ("infer-acceptance",): ("m.csv", "n.csv", "--method", "closed-form"),
    ("simulate",): (*SMALL, "--rate", "2", "--duration", "5s"),
    ("replay",): ("--concurrency", "2", "--duration", "5s"),
    ("describe-trace",): ("t.csv",),
    ("plan",): PLAN[1:-2],
    ("suggest",): ("--concurrency", "4"),
    ("import-model",): ("config.json",),
    ("convert",): ("m.csv",),
    ("page",): (
        *("--sweep", "2:4", "--mtp", "0", "--isl", "64", "--osl", "16", "--engine", "sglang"),
        *("--jobs", "1", "--no-steps"),
    ),
    ("profiles",): ("hardware",),
}
"""Words of a command -> options that make it take milliseconds."""

ENDLESS = {("serve",)}
"""Commands that end by a signal alone: not drawn."""

EVENTS = {("what-if", "acceptance"), ("what-if", "depth"), ("what-if", "workload"), ("what-if", "sweep")}
"""Commands that would start processes."""

RARE: dict[Words, float] = {
    ("plan",): 0.1, ("what-if", "sensitivity"): 0.05, ("what-if", "workload"): 0.03, ("what-if", "acceptance"): 0.4,
    ("what-if", "sweep"): 0.2, ("what-if", "depth"): 0.4, ("compare",): 0.4, ("suggest",): 0.3, ("calibrate",): 0.1,
    ("page",): 0.1,
}  # fmt: skip
"""Commands that take long even so -> how often they stay when drawn."""

USUAL: tuple[Words, ...] = (("explain",), ("simulate",), ("profiles",), ("predict",), ("validate",))


@kind(24)
def options(steps: Steps) -> Made:
    """Any command with options after the cheap ones, or, if it never takes long, instead of them, or no command."""
    known = grammar.options()
    words = steps.rng.choice(sorted(known.keys() - ENDLESS))
    if steps.rng.random() > RARE.get(words, 1.0):
        words = steps.rng.choice(USUAL)
    drawn = [word for rng in steps.mutations(5) for word in grammar.arguments(rng, known[words])]
    roll = steps.rng.random()
    cheap = CHEAP.get(words, ()) if roll < 0.95 or words in RARE else ()
    line = drawn if roll < 0.02 else [*words, *cheap, *drawn]
    if words in EVENTS:
        line = [*line, "--backend", "serial"]
    off, mtp = pair()
    files = {"pairs.csv": PAIRS, "x.yaml": shipped("hardware_profiles")[0], "config.json": EXAMPLE}
    return line, {"m.csv": off, "n.csv": mtp, **files}
