"""Fit host and front end of engines to the shipped runs of several models.

python benchmarks/fit_hosts.py          # say what differs from the files that ship
python benchmarks/fit_hosts.py --write  # write simulator/cost/host_priors/*.yaml again
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from simulator import shipped_measurements
from simulator.cost.hosts import host_priors
from simulator.fitting.hosts import fit_host
from simulator.measurements import read_csv

FILES = {("atom", "amd"): "atom_models.csv", ("vllm", "nvidia"): "vllm_nvidia.csv"}
"""Engine and vendor -> the runs of several models that ship. Fitted without one model, the hosts of the others in
``simulator/measurements/published`` predict that model no better than the generic priors (``benchmarks/models.py``)."""
DRIFT = 0.1
"""A value made again may differ by this part of its spread: rounding on another machine."""


def made(engine: str, vendor: str) -> dict[str, Any]:
    """The content of one file, fitted again."""
    path = shipped_measurements(FILES[engine, vendor])
    rows = list(read_csv(path).rows)
    sha = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return fit_host(rows, engine, vendor, [(path, sha)]).content


def differences(content: dict[str, Any], engine: str, vendor: str) -> list[str]:
    """Sentences on what differs from the file that ships."""
    kept = host_priors()[engine, vendor].parameters
    return [
        f"{content['name']}: {name}: shipped {kept[name].value}, made {entry['value']}"
        for name, entry in content["parameters"].items()
        if name not in kept or abs(entry["moved_sd"] - kept[name].moved_sd) > DRIFT
    ]


def main() -> int:
    """Write, or compare with what ships: 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true", help="write simulator/cost/host_priors/*.yaml")
    arguments = parser.parse_args()
    out: list[str] = []
    for engine, vendor in FILES:
        content = made(engine, vendor)
        if arguments.write:
            path = Path(str(resources.files("simulator").joinpath("cost", "host_priors", f"{content['name']}.yaml")))
            path.write_text(yaml.safe_dump(content, sort_keys=False, width=120), encoding="utf-8")
            print(f"written: {path}")
        else:
            out += differences(content, engine, vendor)
    print("\n".join(out or ([] if arguments.write else ["the host priors that ship are those that the runs give"])))
    return 1 if out else 0


if __name__ == "__main__":
    sys.exit(main())
