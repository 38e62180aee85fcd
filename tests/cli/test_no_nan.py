"""Nothing prints a number that is none: the widest numbers that anyone can insist on, by every command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator.cli import run
from simulator.facts.quantities import COMPUTABLE
from simulator.facts.reading import read_mapping

PRICES, PEAKS = ("hyperscaler", "neocloud", "rental"), ("bf16", "fp8", "fp4")
COMMANDS = [
    "predict --concurrency 4 --mtp 0,3 --requests-per-client 2",
    "predict --concurrency 4 --method closed-form --format csv --requests-per-client 2",
    "explain --concurrency 2 --phase both --mtp 3",
    "simulate --rate 1 --duration 20s --ttft-p99 2s --mtp 3",
    "simulate --rate 1 --duration 20s --format json",
    "what-if sensitivity --samples 16 --concurrency 4",
    "profiles hardware ",
]


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": "test"}


def extreme_hardware(end: float) -> dict[str, Any]:
    return {
        "hbm_bandwidth": quantity(end, "B/s"),
        "peak_flops": {peak: quantity(end, "FLOP/s") for peak in PEAKS},
        "scale_up": {"topology": "switch", "bandwidth": quantity(end, "B/s"), "gpus": quantity(8, "count")},
        "all_in_power": quantity(end, "W"),
        "price": {price: quantity(end, "USD/h") for price in PRICES},
    }


@pytest.mark.parametrize("end", COMPUTABLE)
def test_no_command_prints_what_is_no_number(
    end: float, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    raw: Any = yaml.safe_load(yaml.safe_dump(read_mapping("hardware", "mi355x")))
    Path("x.yaml").write_text(yaml.safe_dump(raw | {"name": "x"} | extreme_hardware(end), sort_keys=False))
    for line in COMMANDS:
        more = "x.yaml" if line.startswith("profiles") else "--hardware x.yaml --calibration kernel-priors"
        status = run(f"{line} {more} --allow-implausible".split())
        said = capsys.readouterr()
        assert status in (0, 3) or said.err.startswith("mtpsim: error: --ttft-p99: 2 s is below"), (line, said.err)
        assert re.findall(r"(?i)\b(?:nan|inf|infinity)\b", said.out + said.err) == [], line
