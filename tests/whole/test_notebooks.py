"""Notebooks, README and docs run and use public functions alone; notebooks are stored without outputs."""

from __future__ import annotations

import ast
import doctest
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

import simulator
from tests.whole.test_docs import lay_out

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHERS = {"numpy", "matplotlib", "IPython"}
ALLOWED = {*sys.stdlib_module_names, *OTHERS}


def cells(path: Path) -> str:
    """The code of a notebook as Python; a magic is a call of ``get_ipython()``."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
    return "\n".join(TransformerManager().transform_cell(one) for one in code)


def blocks(path: Path) -> str:
    """The Python blocks of a page, one after the other; of a session with prompts what is typed."""
    found = re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return "\n".join(doctest.script_from_examples(one) if ">>>" in one else one for one in found)


def strangers(code: str) -> Iterator[str]:
    """What the code takes from below the top level of ``simulator``, or from a package that it should not need."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            public = module == "simulator" and all(name.name in simulator.__all__ for name in node.names)
            if node.level or not (public or module.split(".")[0] in ALLOWED):
                yield ast.unparse(node)
        elif isinstance(node, ast.Import):
            yield from (n.name for n in node.names if n.name != "simulator" and n.name.split(".")[0] not in ALLOWED)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "simulator":
            yield from {node.attr} - {*simulator.__all__}


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    # the limits, in seconds, only end what hangs
    limits = {"timeout": 600, "startup_timeout": 600}
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}, **limits).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_is_stored_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    assert not [c for c in cells if c.get("outputs") or c.get("execution_count")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_uses_public_functions_alone(path: Path) -> None:
    assert list(strangers(cells(path))) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_uses_public_functions_alone(path: Path) -> None:
    assert list(strangers(blocks(path))) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_code_of_a_page_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks(path), path.name, "exec"), {"__name__": "page"})


@pytest.mark.parametrize(
    "code",
    [
        "from simulator import kernels as kn",
        "from simulator.cost.explain import explain_round",
        "import simulator.plots.style",
        "import simulator\nsimulator.kernels.round_time",
        "from . import predict",
        "import pandas as pd",
        "from scipy.stats import norm",
    ],
)
def test_what_is_not_public_is_found(code: str) -> None:
    assert list(strangers(code))


def test_what_is_public_is_not_found() -> None:
    code = "import json\nimport numpy as np\nimport simulator\nfrom simulator import draw\nsimulator.predict()"
    assert list(strangers(code)) == []
