"""What the README says is what the program does."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from simulator.cli import COMMANDS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_example_prints_what_the_readme_shows() -> None:
    code, printed = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL).groups()
    out = StringIO()
    with redirect_stdout(out):
        exec(compile(code, "README.md", "exec"), {})
    assert out.getvalue() == printed


def test_every_command_exists() -> None:
    assert set(re.findall(r"mtpsim ([a-z-]+)", README)) - {"predict"} <= set(COMMANDS)


def test_every_linked_file_exists() -> None:
    root = Path(__file__).parents[2]
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (root / target).is_file(), target
    for target in re.findall(r"`((?:simulator|benchmarks|hardware_profiles|tests|docs)/[\w./-]*)`", README):
        assert (root / target).exists(), target
