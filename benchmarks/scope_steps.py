"""What a step away from the measured runs costs, from the splits of the accuracy table.

python benchmarks/scope_steps.py          # print costs and the share of held-out values inside 90 % intervals
python benchmarks/scope_steps.py --write  # and write simulator/fitting/steps.yaml
"""

from __future__ import annotations

import argparse
from importlib import resources
from pathlib import Path

import yaml

from simulator.fitting.coverage import COSTS, costs, splits
from simulator.fitting.held_out import shares
from simulator.serving.steps import steps


def main() -> None:
    """Print, and write when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true", help="write simulator/fitting/steps.yaml")
    arguments = parser.parse_args()
    values = splits()
    found = costs(values)
    print(yaml.safe_dump(found, sort_keys=False, width=200), end="")
    if arguments.write:
        path = Path(str(resources.files("simulator").joinpath("fitting", "steps.yaml")))
        path.write_text(yaml.safe_dump(found, sort_keys=False, width=200), encoding="utf-8")
        steps.cache_clear()
        values = splits()
    for split, kinds in shares(values).items():
        print(f"{split:60s} " + " / ".join(f"{100 * kinds[kind]:.1f}" for kind in COSTS))


if __name__ == "__main__":
    main()
