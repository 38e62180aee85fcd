"""The page as a document: self-contained, within its policy, and its data can end no element."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from simulator import shipped_measurements
from simulator.cli import run
from simulator.page.bundle import bundle
from simulator.page.choices import choices
from simulator.page.document import digest, document, embedded, plotly, policy, script
from simulator.page.grid import Ask, rounded
from simulator.page.state import State, read_state
from simulator.page.tabs import TABS
from simulator.page.work import Work

SMALL = ("--isl", "8192", "--osl", "1024", "--engine", "sglang", "--precision", "fp4", "--no-steps", "--jobs", "1")
FEW = ("--sweep", "2:4,16", "--sweep", "4:4", "--mtp", "0,3")


def page_text() -> str:
    return document({"choices": choices(), "state": {}}, live=False)


def carried(text: str) -> dict[str, Any]:
    """What a page carries, unpacked as its script does it."""
    plain = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    grid = re.search(r'<script type="text/plain" id="grid">(.*?)</script>', text, re.DOTALL)
    assert plain is not None
    found: dict[str, Any] = json.loads(plain[1])
    if grid is not None:
        found |= json.loads(zlib.decompress(base64.b64decode(grid[1])))
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("page") / "page.html"
    rows = shipped_measurements("sglang_mi355x_8k1k.csv").read_text(encoding="utf-8").splitlines()[:3]
    (place.parent / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert run(["page", "-o", str(place), *SMALL, *FEW, "--measured", str(place.parent / "rows.csv")]) == 0
    return place


def test_a_file_is_small_and_asks_the_network_for_nothing(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert written.stat().st_size < 12e6
    assert re.findall(r'(?:src|href)="https?://', text) == []
    assert re.findall(r"""(?:src|href|action|data)\s*=\s*["']?\s*(?:https?:)?//""", text.replace(plotly(), "")) == []
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?!data:|#)", text.replace(plotly(), "")) == []
    assert "connect-src &#39;none&#39;" in text


def test_a_file_answers_as_the_tabs_do(written: Path) -> None:
    found = carried(written.read_text(encoding="utf-8"))
    start = read_state(found["state"])
    assert start.sweep == ("2:4,16", "4:4")
    for entry in found["answers"]["curve"][::5]:
        where = {k: v["any"][0] if isinstance(v, dict) else v for k, v in entry["where"].items()}
        state = start.model_copy(update=read_state({**start.changed(), **where}).model_dump())
        payload = rounded(TABS["curve"].answer(state, Work(intervals="_lo" in str(entry["readings"]))))
        assert [one["total_tok_s_gpu"] for one in entry["readings"]] == [
            one["total_tok_s_gpu"] for one in payload["readings"]
        ]
        assert entry["sentences"] == payload["sentences"]
        for name, one in zip(entry["series"], payload["series"], strict=True):
            held = found["series"][name]
            rows = {tuple(row) for row in _core(held)}
            assert {tuple(row) for row in _core(one)} <= rows
    assert {kind: len(all_) > 0 for kind, all_ in found["answers"].items()} == dict.fromkeys(found["answers"], True)
    assert found["check"]["verdict"] == "clean"
    assert len(found["check"]["rows"]) == 2


def _core(series: dict[str, Any]) -> list[list[Any]]:
    names = ("tp", "concurrency", "total_tok_s_gpu", "interactivity_tok_s_user", "cost_usd_per_mtok", "bound_by")
    places = [series["columns"].index(name) for name in names]
    return [[row[i] for i in places] for row in series["rows"]]


def test_only_the_scripts_of_the_page_may_run() -> None:
    text, told = page_text(), policy(False)
    inline = re.findall(r"<script(?![^>]*application/json)[^>]*>(.*?)</script>", text, re.DOTALL)
    assert len(inline) == 2
    assert all(digest(one) in told for one in inline)
    assert "unsafe-eval" not in told
    assert "'unsafe-inline'" not in told.split("script-src")[1].split(";")[0]
    assert told.startswith("default-src 'none'")
    assert "connect-src 'self'" in policy(True)


@pytest.mark.parametrize(
    "hostile", ["</script><script>alert(1)</script>", "<!--<script>", "\u2028 & ]]>", "<img onerror=x>"]
)
def test_data_ends_no_element(hostile: str) -> None:
    text = embedded({"text": hostile})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"text": hostile}


def test_numbers_in_a_file_have_six_digits() -> None:
    assert rounded({"a": [1.23456789, 0.000123456789, 12, True, None, "1.23456789"]}) == {
        "a": [1.23457, 0.000123457, 12, True, None, "1.23456789"]
    }


def test_modules_are_joined_in_their_order() -> None:
    with pytest.raises(ValueError, match="does not stand before it"):
        bundle({"b.js": 'import { one } from "./a.js";', "a.js": "export const one = 1;"})
    with pytest.raises(ValueError, match="named imports and exports alone"):
        bundle({"a.js": "export default 1;"})
    assert not re.search(r"^(?:import|export)\b", script(), re.MULTILINE)


def test_a_page_replaces_a_page_and_nothing_else(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["page", "-o", str(written), *SMALL, "--sweep", "2:4", "--mtp", "0"]) == 0
    other = written.parent / "other.html"
    other.write_text("<!doctype html><title>mine</title>", encoding="utf-8")
    capsys.readouterr()
    for place, said in ((other, "expected a page of mtpsim"), (written.parent, "it is a directory")):
        assert run(["page", "-o", str(place), *SMALL, *FEW]) == 2
        assert said in capsys.readouterr().err
    assert other.read_text(encoding="utf-8") == "<!doctype html><title>mine</title>"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--hardware", "mi3555x"), "did you mean 'mi355x'"),
        (("--hardware", "./mine.yaml"), "expected the name of a profile that ships"),
        (("--model", "nothing"), "unknown model"),
        (("--engine", "nothing"), "unknown engine"),
        (("--precision", "fp5"), "precision"),
        (("--tp", "2", "--sweep", "2:4"), "expected no --tp beside it"),
        (("--mtp", "99"), "mtp"),
        (("--isl", "0"), "isl"),
        (("--jobs", "0"), "--jobs"),
        (("--measured", "nothing.csv"), "nothing.csv"),
        (("--hardware", "l40s", "--precision", "fp8"), "L40S"),
    ],
)
def test_bad_input_leaves_no_file(
    options: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["page", "-o", "page.html", "--no-steps", "--jobs", "1", "--mtp", "0", "--sweep", "1:4", *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("mtpsim: error: ")
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name in ('plotly', 'fastapi') else find(name, package)\n"
        "from simulator.cli import run\n"
        "raise SystemExit(run(sys.argv[1:]))"
    )
    for words, name in ((["page", "-o", "x.html"], "plotly"), (["serve"], "plotly and fastapi")):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert done.stderr == f"mtpsim: error: mtpsim {words[0]} needs {name}: pip install 'mtpsim[web]'\n"
    assert list(tmp_path.iterdir()) == []


def test_the_grid_of_several_accelerators_has_cells_for_each() -> None:
    from simulator.page.grid import cells

    found = cells(Ask(State(hardware=("mi355x", "b200"))))
    assert {cell.state.hardware for cell in found} == {("mi355x",), ("b200",)}
    assert {cell.state.engine for cell in found if cell.state.hardware == ("mi355x",)} == {"sglang", "atom"}
    assert {cell.precision for cell in found} == {("", "fp4"), ("fp8",)}
    assert len(found) == 3 * 2 * (2 + 1)
