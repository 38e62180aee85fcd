"""What a complete plan costs to resume, as part of what it costs to plan.

    python benchmarks/resume.py          # the plan of docs/planning.md, about a minute
    python benchmarks/resume.py --quick  # one kind of replica

Both run in this process after it has imported and compiled everything, and processor time counts, so that other
programs do not. Exit status 1 if the answers differ, or if resuming costs a fifth of planning or more.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator import make_scenario, plan

MOST = 0.2
PROMISES = ("ttft-p99=2s", "tpot-p95=25ms")
WHOLE: dict[str, Any] = {"rate": 40.0}
QUICK: dict[str, Any] = {"rate": 5.0, "tp": (2,), "mtp": (0,)}


def timed(options: dict[str, Any], file: Path) -> tuple[float, str]:
    """Seconds of processor time, and the answer."""
    begin = time.process_time()
    found = plan(make_scenario(isl=8192), promises=PROMISES, resume=str(file), **options)
    return time.process_time() - begin, found.to_json()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if resuming is dear or gives another answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    options = QUICK if parser.parse_args(arguments).quick else WHOLE
    with tempfile.TemporaryDirectory() as name:
        timed(QUICK, Path(name) / "warm")
        planning, answer = timed(options, Path(name) / "kept")
        resuming, again = timed(options, Path(name) / "kept")
    print(f"planning {planning:.2f} s, resuming {resuming:.2f} s of processor time: {100 * resuming / planning:.1f} %")
    return int(again != answer or resuming >= MOST * planning)


if __name__ == "__main__":
    sys.exit(main())
