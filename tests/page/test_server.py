"""The API answers as the tabs do, and refuses what it should."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs pip install 'mtpsim[web]'")
pytest.importorskip("httpx", reason="needs httpx")

from fastapi.testclient import TestClient

from simulator import shipped_measurements
from simulator.page.choices import choices
from simulator.page.document import policy
from simulator.page.server.app import FILE_BYTES, STATE_BYTES, make_app
from simulator.page.state import read_state
from simulator.page.tabs import TABS
from simulator.page.work import Work

SMALL: dict[str, Any] = {"sweep": ["2:4,16"], "mtp": [0, 3], "at": [60.0]}
HEADER = "hardware,model,precision,engine,spec,isl,osl,tp,concurrency,total_tok_s_gpu,notes"
GOOD = ["MI355X", "Qwen3.5-397B-A17B", "FP4", "SGLang", "off", "8192", "1024", "2", "4", "2001.03", ""]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(make_app(), base_url="http://127.0.0.1:8000") as one:
        yield one


def rows_text(**changes: str) -> str:
    names = HEADER.split(",")
    cells = [changes.get(name, cell) for name, cell in zip(names, GOOD, strict=True)]
    return f"{HEADER}\n" + ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"


def answer_of(reply: Any) -> dict[str, Any]:
    lines = [json.loads(line) for line in reply.text.splitlines()]
    found: dict[str, Any] = lines[-1]["answer"]
    return found


# --- answers


def test_an_answer_is_that_of_the_tab(client: TestClient) -> None:
    reply = client.post("/api/curve?intervals=false", json=SMALL)
    assert reply.status_code == 200
    assert reply.json() == TABS["curve"].answer(read_state(SMALL), Work(intervals=False))
    assert client.post("/api/curve?intervals=false", json=SMALL).content == reply.content
    reply = client.post("/api/why", json={"why_concurrency": 16})
    assert reply.json() == TABS["why"].answer(read_state({"why_concurrency": 16}))


def test_intervals_come_unless_they_are_not_wanted(client: TestClient) -> None:
    banded = client.post("/api/curve", json=SMALL).json()
    assert "total_tok_s_gpu_lo" in banded["series"][0]["columns"]
    plain = client.post("/api/curve?intervals=false", json=SMALL).json()
    assert "total_tok_s_gpu_lo" not in plain["series"][0]["columns"]


def test_keys_that_change_the_picture_alone_change_no_answer(client: TestClient) -> None:
    first = client.post("/api/curve?intervals=false", json=SMALL)
    other = {**SMALL, "x": "concurrency", "logx": True, "tab": "why", "pins": ["isl=8192"]}
    assert client.post("/api/curve?intervals=false", json=other).content == first.content


def test_long_work_tells_its_progress(client: TestClient) -> None:
    state = {"sweep": ["2:8"], "mtp": [3]}
    reply = client.post("/api/break-even", json=state)
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert any("progress" in line for line in lines[:-1])
    assert lines[-1]["answer"] == TABS["break-even"].answer(read_state(state))
    plain = client.post("/api/break-even", json=state, headers={"accept": "application/json"})
    assert plain.json() == lines[-1]["answer"]


def test_the_page_and_its_choices(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-security-policy"] == policy(True)
    assert "<title>mtpsim: the live chart</title>" in page.text
    assert client.get("/api/choices").json() == json.loads(json.dumps(choices()))


def test_the_api_describes_itself(client: TestClient) -> None:
    told = client.get("/openapi.json").json()
    assert {f"/api/{name}" for name in TABS} | {"/api/choices"} == set(told["paths"])
    schema = told["paths"]["/api/curve"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["isl"]["maximum"] == 131072


# --- bad input


@pytest.mark.parametrize("kind", [name for name in TABS if name != "check"])
def test_bad_input_is_told_in_a_sentence(client: TestClient, kind: str) -> None:
    for body, said in (
        ('{"isl": 0}', "isl"),
        ("{", "state"),
        ('{"model": "../x"}', "model"),
        ('{"a": 1}', "no such key"),
    ):
        reply = client.post(f"/api/{kind}", content=body, headers={"content-type": "application/json"})
        assert reply.status_code == 422
        assert said in reply.json()["error"]
    reply = client.post(f"/api/{kind}", json={"hardware": ["mi3555x"]})
    assert (reply.status_code, "did you mean" in reply.json()["error"]) == (422, True)


def test_what_the_profiles_cannot_do_is_bad_input(client: TestClient) -> None:
    reply = client.post("/api/curve", json={"hardware": ["l40s"], "sweep": ["1:4"], "mtp": [0]})
    assert (reply.status_code, "L40S" in reply.json()["error"]) == (422, True)
    reply = client.post("/api/break-even", json={"mtp": [0]})
    assert "draft depth" in json.loads(reply.text.splitlines()[-1])["error"]
    reply = client.post("/api/plan", json={"promises": ["nothing=1"]})
    assert "error" in json.loads(reply.text.splitlines()[-1])


def test_other_bodies_methods_and_places_are_refused(client: TestClient) -> None:
    assert client.post("/api/curve", content="isl=8192", headers={"content-type": "text/plain"}).status_code == 422
    assert client.get("/api/curve").status_code == 405
    assert client.get("/nothing").status_code == 404
    for path in ("/../pyproject.toml", "/%2e%2e/pyproject.toml", "/static/page.js", "/docs", "/redoc"):
        assert client.get(path).status_code == 404


# --- who may ask


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "0.0.0.0:8000"])
def test_another_host_is_not_answered(client: TestClient, host: str) -> None:
    """A name that an attacker points at loopback."""
    for path in ("/", "/api/choices", "/openapi.json"):
        assert client.get(path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:1", "localhost", "[::1]:8000"])
def test_loopback_by_any_of_its_names(client: TestClient, host: str) -> None:
    assert client.get("/api/choices", headers={"host": host}).status_code == 200


def test_another_site_is_not_answered(client: TestClient) -> None:
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        reply = client.post("/api/curve", json=SMALL, headers=headers)
        assert reply.status_code == 403
        assert "access-control-allow-origin" not in reply.headers
    assert client.get("/api/choices", headers={"origin": "http://127.0.0.1:8000"}).status_code == 200


def test_a_token_opens_and_nothing_else_does() -> None:
    with TestClient(make_app("secret"), base_url="http://chart.example:8000") as one:
        for path in ("/", "/api/choices", "/openapi.json"):
            assert one.get(path).status_code == 401
            assert one.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
            assert one.get(path, headers={"authorization": "Basic secret"}).status_code == 401
            assert one.get(f"{path}?token=wrong").status_code == 401
            assert one.get(path, headers={"authorization": "Bearer secret"}).status_code == 200
        page = one.get("/?token=secret")
        assert page.status_code == 200
        assert '"token":"secret"' in page.text


def test_every_reply_bears_the_headers(client: TestClient) -> None:
    for reply in (client.get("/"), client.get("/nothing"), client.get("/", headers={"host": "evil.example"})):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")


# --- how much


def test_bodies_are_bounded(client: TestClient) -> None:
    reply = client.post("/api/curve", content=b" " * (STATE_BYTES + 1), headers={"content-type": "application/json"})
    assert (reply.status_code, "at most" in reply.json()["error"]) == (413, True)
    reply = client.post("/api/check", json={"name": "a.csv", "text": "x" * (FILE_BYTES + 1)})
    assert reply.status_code in (413, 422)


def test_too_much_at_once_is_refused_with_a_time_to_come_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.page.server.desk.MOST_JOBS", 0)
    reply = client.post("/api/curve?intervals=false", json={**SMALL, "isl": 2000})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    known = client.post("/api/why", json={"why_concurrency": 17})
    assert known.status_code == 503


# --- files of strangers


def test_a_file_gets_its_verdicts(client: TestClient) -> None:
    found = answer_of(client.post("/api/check", json={"name": "runs.csv", "text": rows_text()}))
    assert [row["verdict"] for row in found["rows"]] == ["clean"]
    bad = answer_of(client.post("/api/check", json={"name": "runs.csv", "text": rows_text(total_tok_s_gpu="99999999")}))
    assert bad["verdict"] == "impossible"
    assert bad["rows"][0]["reasons"]


def test_faults_of_a_file_are_told_at_once(client: TestClient) -> None:
    reply = client.post("/api/check", json={"name": "runs.csv", "text": rows_text(isl="much", osl="-1")})
    error = json.loads(reply.text.splitlines()[-1])["error"]
    assert "isl" in error
    assert "osl" in error
    assert "runs.csv" in error


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", "\x1b[31mred", "=cmd|' /C calc'!A0", "a" * 300, "../../etc/passwd", "\u202egnp.exe"],
)
def test_hostile_names_and_cells_are_text(client: TestClient, hostile: str) -> None:
    reply = client.post("/api/check", json={"name": hostile, "text": rows_text(notes=hostile, model=hostile)})
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    found = answer_of(reply)
    assert [row["verdict"] for row in found["rows"]] == ["unchecked"]
    assert "\x1b" not in reply.text
    assert len(found["rows"][0]["file"]) <= 400


@pytest.mark.parametrize("column", ["hardware", "model", "engine", "recipe", "checkpoint"])
def test_no_file_of_the_server_is_read(
    client: TestClient, column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as a profile nor as a configuration, and what it holds is in no reply."""
    secret = "sesame-of-the-server"
    (tmp_path / "model").mkdir()
    for name in ("secret.yaml", "secret.json", "secret", "model/config.json"):
        (tmp_path / name).write_text(f'{{"name": "{secret}", "model_type": "{secret}"}}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    for name in (
        "secret.yaml",
        "./secret.json",
        str(tmp_path / "secret.yaml"),
        "model",
        f"{tmp_path}/model",
        "~/x.yaml",
    ):
        header = HEADER if column in HEADER else f"{HEADER},{column}"
        text = rows_text(**{column: name})
        if header != HEADER:
            text = text.replace(HEADER, header).rstrip("\n") + f',"{name}"\n'
        reply = client.post("/api/check", json={"name": "a.csv", "text": text})
        assert secret not in reply.text
    for key in ("model", "hardware", "engine", "recipe", "calibration", "checkpoint", "against"):
        for name in ("secret", "model", "./secret.yaml"):
            reply = client.post("/api/curve", json={key: [name] if key == "hardware" else name})
            assert reply.status_code == 422
            assert secret not in reply.text
    assert [one for one in opened if str(tmp_path) in one or one.startswith(("secret", "./secret", "model"))] == []


def test_what_was_sent_is_not_kept(client: TestClient) -> None:
    desk = client.app.state.desk  # type: ignore[attr-defined]
    before = desk.answers.bytes
    client.post("/api/check", json={"name": "runs.csv", "text": rows_text(notes="mine")})
    assert desk.answers.bytes == before


def test_rows_that_the_server_began_with_are_judged_and_laid_over() -> None:
    from simulator import read_measurements

    rows = read_measurements(shipped_measurements("sglang_mi355x_8k1k.csv"), select="concurrency=4 and tp=2")
    with TestClient(make_app(measured=rows), base_url="http://localhost") as one:
        found = answer_of(one.post("/api/check", json={}))
        assert len(found["rows"]) == len(rows) > 0
        assert str(shipped_measurements("sglang_mi355x_8k1k.csv").parent) not in json.dumps(found)


# --- the command


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "simulator", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found is not None, line
        with urllib.request.urlopen(f"{found[0]}api/choices") as reply:
            assert json.load(reply)["version"] == choices()["version"]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_ports_and_hosts_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    from simulator.cli import run

    for words, said in (
        (["--port", "99999"], "--port: expected a whole number from 0 to 65535"),
        (["--host", "no.such.host.invalid"], "cannot be listened on"),
    ):
        assert run(["serve", *words]) == 2
        assert said in capsys.readouterr().err
