"""README and docs say what the program does: their commands run, their outputs are its outputs, their files exist."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulator import shipped_measurements
from simulator.cli import COMMANDS

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PAGES = list(dict.fromkeys(PAGES))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SLOW = {
    "acceptance": "--concurrency 4 --rates 0,1 --method closed-form",
    "depth": "--concurrency 4 --method closed-form",
    "sensitivity": "--samples 16",
    "sweep": "--concurrency 4,64",
    "workload": "--concurrency 32 --method closed-form",
}
"""Subcommand of what-if -> what a test adds to make it short; a block whose output the page shows runs as it is."""
PAGE = {
    "page": "--sweep 2:4 --mtp 0 --isl 8192 --osl 1024 --engine sglang --precision fp4 --jobs 1",
    "serve": "--help",
}
"""Commands of the page: what a test adds to make one short, or to make it end."""


RESULTS = (
    *("known.yaml", "vllm.json", "sglang.jsonl", "inferencex.json", "aiperf.json", "aiperf.csv", "guidellm.json"),
    *("llmperf.json", "inference_perf.yaml", "llm_d.yaml"),
)
"""Files that the blocks of results.md are, in their order."""


@dataclass(frozen=True)
class Block:
    """A fenced block, and the ``text`` block that follows it at once, if one does."""

    page: Path
    line: int
    language: str
    content: str
    output: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = list(BLOCK.finditer(text))
    out = []
    for i, here in enumerate(found):
        after = found[i + 1] if i + 1 < len(found) else None
        shown = after is not None and after[1] == "text" and not text[here.end() : after.start()].strip()
        line = text.count("\n", 0, here.start()) + 1
        out.append(Block(page, line, here[1], here[2], after[2] if shown and after is not None else None))
    return out


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
COMMAND_PAGES = [page for page in PAGES if any(b.language == "sh" and "mtpsim " in b.content for b in blocks_of(page))]


def commands(block: Block) -> list[str]:
    """The mtpsim commands of a shell block, without comments; what comes before ``&&`` is the installation."""
    lines = [line.split("&&")[-1].strip() for line in block.content.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("mtpsim ")]


def lay_out(folder: Path) -> None:
    """The files that the commands of the pages name: shipped measurements, parts of them, and blocks of the pages."""
    runs = shipped_measurements("sglang_mi355x_8k1k.csv")
    shutil.copy(str(runs), folder / "runs.csv")
    shutil.copy(str(shipped_measurements("inferencex_frontier_fp4_1k1k.csv")), folder / "frontier.csv")
    with Path(str(runs)).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["precision"] == "FP4" and row["tp"] == "2"]
    for spec in ("off", "mtp"):
        with (folder / f"{spec}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(row for row in rows if row["spec"] == spec)
    files = ("calibrating.md", "csv", "curve.csv"), ("profiles.md", "yaml", "my_gpu.yaml")
    files += (("profiles.md", "csv", "kernels.csv"),)
    for page, language, name in (*files, ("recipes.md", "yaml", "my_recipe.yaml")):
        block = next(b for b in blocks_of(ROOT / "docs" / page) if b.language == language)
        (folder / name).write_text(block.content, encoding="utf-8")
    examples = [b for b in blocks_of(ROOT / "docs" / "results.md") if b.language in ("json", "csv", "yaml")]
    for block, name in zip(examples, RESULTS, strict=True):
        (folder / name).write_text(block.content, encoding="utf-8")
    (folder / "day.csv").write_text("start_s,requests_per_s\n0,0.5\n300,3\n600,1\n900,0\n", encoding="utf-8")
    configurations = ROOT / "tests" / "facts" / "importing" / "configs"
    shutil.copy(configurations / "openai--gpt-oss-20b.config.json", folder)
    requests = "arrival_s,input_tokens,output_tokens\n0,1024,128\n0.5,2048,256\n1.0,512,64\n"
    (folder / "trace.csv").write_text(requests, encoding="utf-8")
    published = ROOT / "tests" / "traffic" / "data"
    for source, name in (
        ("mooncake.jsonl", "trace.jsonl"),
        ("azure.csv", "azure.csv"),
        ("weka_tree.jsonl", "sessions.jsonl"),
    ):
        shutil.copy(published / source, folder / name)


def ask(command: str, folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    start = "import sys; from simulator.cli import run; sys.exit(run(sys.argv[1:]))"
    words = [sys.executable, "-c", start, *shlex.split(command, comments=True)[1:]]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def shortened(command: str) -> str:
    words = shlex.split(command, comments=True)
    more = SLOW.get(words[2], "") if words[1] == "what-if" else PAGE.get(words[1], "")
    return shlex.join([*words, *shlex.split(more)])


@pytest.mark.parametrize("page", COMMAND_PAGES, ids=lambda page: page.name)
def test_commands_run_and_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """In the order of the page and in one folder, since some write what later ones read."""
    lay_out(tmp_path)
    for block in blocks_of(page):
        if block.language != "sh":
            continue
        if block.output is None:
            for command in commands(block):
                ask(shortened(command), tmp_path)
        else:
            (command,) = commands(block)
            assert block.output.strip("\n") in ask(command, tmp_path), f"{block}: {command}"


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_examples_print_what_the_page_shows(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(block.content, str(block), "exec"), {})
    assert out.getvalue() == (block.output or "")


def test_the_published_table_is_the_published_one_beside_the_printed_one(tmp_path: Path) -> None:
    """Every figure of the README's table: from the shipped file, and from the command above it."""
    text = PAGES[0].read_text(encoding="utf-8")
    command = next(line for b in blocks_of(PAGES[0]) for line in commands(b) if line.startswith("mtpsim compare"))
    found = json.loads(ask(f"{command} --format json", tmp_path))["rows"]
    with Path(str(shipped_measurements("inferencex_frontier_fp4_1k1k.csv"))).open(encoding="utf-8") as file:
        published = list(csv.DictReader(file))

    def key(row: dict[str, Any]) -> tuple[str, float]:
        return row["spec"], float(row["interactivity_tok_s_user"])

    predicted = {key(row): row for row in found}
    shown = re.findall(r"^\| (\d+) \| (MTP|Off) \| (.+) \|$", text, re.MULTILINE)
    assert len(shown) == len(published) == 6
    for row, (at, spec, cells) in zip(published, shown, strict=True):
        assert key(row) == (spec.lower(), float(at))
        mine = predicted[key(row)]
        expected = []
        for name, digits in (("total_tok_s_gpu", 0), ("cost_usd_per_mtok", 3), ("concurrency", 0)):
            expected += [f"{float(row[name]):.{digits}f}", f"{mine[f'predicted_{name}']:.{digits}f}"]
            assert mine[name] == float(row[name])
        assert cells.split(" | ") == expected


def test_every_command_is_a_command() -> None:
    for page in PAGES:
        named = set(re.findall(r"`?mtpsim ([a-z][a-z-]+)", "\n".join(re.findall(r"`[^`]+`", page.read_text("utf-8")))))
        assert named <= set(COMMANDS), page.name


def test_every_command_has_its_page() -> None:
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {name for name in COMMANDS if f"mtpsim {name}" not in everything} == set()


def test_the_two_blocks_that_are_run_from_outside() -> None:
    blocks = [b.content for b in blocks_of(PAGES[0]) if b.language == "sh"]
    assert sum("pip install" in b and "mtpsim predict" in b for b in blocks) == 1
    assert sum("pytest" in b for b in blocks) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_linked_file_and_named_path_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", text):
        assert (page.parent / target).exists(), target
    rooms = "simulator|benchmarks|hardware_profiles|tests|docs|notebooks|[.]ci"
    for target in re.findall(rf"`((?:{rooms})/[\w./-]*)`", text):
        assert (ROOT / target).exists(), target


def test_every_picture_is_shown() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for picture in (ROOT / "docs").glob("*.png"):
        assert f"{picture.name})" in text, picture.name


def test_what_is_written_by_a_program_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/make.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_tree_is_the_one_on_disk() -> None:
    """Read back from the page, both directions: every folder and module, and nothing else."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- tree -->\n```text\n(.*?)```", text, re.DOTALL)
    shown, above = set(), [ROOT]
    for indent, name in re.findall(r"^( {0,8})([\w.-]+(?:/|\.py))(?: |$)", block, re.MULTILINE):
        depth = len(indent) // 2
        above = above[: depth + 1]
        shown.add(above[-1] / name)
        if name.endswith("/"):
            above.append(above[-1] / name.rstrip("/"))
    there = {p for room in ("simulator", "hardware_profiles") for p in [ROOT / room, *(ROOT / room).rglob("*")]}
    there = {p for p in there if "__pycache__" not in p.parts and p.name != "__init__.py"}
    assert shown == {p for p in there if p.is_dir() or p.suffix == ".py"}


TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")


def test_no_file_speaks_of_issues() -> None:
    """Sources name papers, data sheets and repositories."""
    if not any(TRACKED):
        pytest.skip("not a git checkout")
    told = re.compile(r"\bissues?[ -]?(?:#|no\.? ?)?\d|\bthe issue\b|\bof issue\b", re.IGNORECASE)
    own = Path(__file__).relative_to(ROOT).as_posix()
    for name in TRACKED:
        path = ROOT / name
        if (
            name
            and name != own
            and path.is_file()
            and path.suffix in (".py", ".yaml", ".csv", ".md", ".toml", ".ipynb", "")
        ):
            assert not told.search(path.read_text(encoding="utf-8")), name
