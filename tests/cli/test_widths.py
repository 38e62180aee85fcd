"""On a page of 60 columns every command fits, and says which columns of its tables it left out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import click
import pytest

from simulator.cli import COMMANDS, group, run
from simulator.cli.text.page import Column, Page
from tests.whole.test_docs import lay_out

WIDTH = 60
FAST = "--method closed-form"
ASKED = [
    f"predict --tp 2,4 --mtp 0,3 --concurrency 4,100 {FAST}",
    f"predict --concurrency 4..16 --isl 100000 {FAST}",
    f"compare --at 60 --concurrency 8..32 {FAST}",
    "compare --against inferencex-mi355x-fp4-1k1k",
    "explain --mtp 3 --phase both",
    "explain --tp 2,4 --concurrency 4",
    "plan --rate 4 --ttft-p99 2s --tpot-p95 25ms --tp 4 --mtp 0,3",
    "plan --gpus 8 --ttft-p99 2s --tpot-p95 25ms --e2e-p90 60s --tp 4 --mtp 0,3",
    "simulate --rate 2 --duration 2min --ttft-p99 2s",
    "replay --concurrency 1,4 --duration 1min",
    "compare --workload agentic --concurrency 1,4 --duration 1min",
    "what-if cache --concurrency 4 --duration 1min --pool-scale 0.1,1",
    "describe-trace trace.jsonl",
    "describe-trace sessions.jsonl",
    f"validate runs.csv {FAST}",
    f"validate off.csv mtp.csv {FAST}",
    f"evaluate runs.csv {FAST}",
    "evaluate frontier.csv",
    f"infer-acceptance off.csv mtp.csv {FAST}",
    "convert runs.csv --explain",
    "suggest --top 3",
    f"what-if acceptance --concurrency 4,32 --rates 0,1 {FAST}",
    f"what-if depth --concurrency 4,32 {FAST}",
    f"what-if workload --concurrency 32 --tp 2 {FAST}",
    "what-if sensitivity --samples 16",
    f"what-if sweep --concurrency 4,32 --mtp 1,3 {FAST}",
    "profiles",
    "profiles hardware mi355x",
    "profiles model qwen3.5-397b-a17b",
    "profiles parameters",
    "profiles calibration atom-mi355x",
    "calibrate curve.csv -o fit.yaml --no-cross-validation",
    "import-model openai--gpt-oss-20b.config.json",
    "fit-kernels kernels.csv --hardware h200 -o priors.yaml",
    "page -o page.html --sweep 2:4 --mtp 0 --isl 8192 --osl 1024 --engine sglang --precision fp4 --jobs 1",
]
ENDLESS = {"serve"}
"""What runs until it is stopped and prints one line: ``tests/page/test_server.py``."""


def test_every_command_is_asked() -> None:
    names = set()
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        below = command.commands if isinstance(command, click.Group) else [""]
        names |= {f"{name} {one}".strip() for one in below}
    asked = {name for name in names if any(line.startswith(f"{name} ") or line == name for line in ASKED)}
    assert asked == names - ENDLESS


@pytest.mark.parametrize("line", ASKED)
def test_a_narrow_page(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    missing: list[str] = []
    table = Page.table

    def watched(page: Page, columns: Iterable[Column]) -> tuple[str, list[str]]:
        body, dropped = table(page, columns)
        missing.extend(dropped)
        return body, dropped

    monkeypatch.setattr(Page, "table", watched)
    assert run(shlex.split(line)) in (0, 3, 4)
    text = capsys.readouterr().out
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert [one for one in text.split("\n") if len(one) > WIDTH] == []
    flat = " ".join(text.split())
    told = " ".join(re.findall(r"ot shown for lack of room: (.+?)(?:;|\.(?: |$))", flat))
    assert {title for title in missing if title not in told} == set()
