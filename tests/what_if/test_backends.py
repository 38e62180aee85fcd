"""The same discrete events on one core, on all, and on a Dask cluster of two processes; finished runs are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import LocalCluster

from simulator import cli, make_scenario
from simulator.errors import InputError
from simulator.what_if import Backend, backends, what_if_acceptance
from simulator.what_if.backends import HEADER, Task, run_tasks, tasks_of
from simulator.what_if.gain import with_length

SERIAL = Backend("serial")


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    base = make_scenario(tp=2, mtp=3, acceptance_rate=0.5)
    return tasks_of([with_length(base, x) for x in (1.0, 1.8, 2.6, 3.4)], [2, 4, 8, 16, 32], seed=1)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def test_same_numbers_on_every_backend_and_in_any_order(tasks: list[Task], address: str) -> None:
    serial = run_tasks(tasks, SERIAL)
    assert run_tasks(tasks, Backend("joblib", jobs=2)) == serial
    assert run_tasks(tasks, Backend("dask", scheduler=address)) == serial
    assert run_tasks(tasks[::-1], Backend("dask", scheduler=address))[::-1] == serial


def test_study_on_a_cluster(address: str) -> None:
    scenario = make_scenario(tp=2, mtp=2, acceptance_rate=0.5)
    one, other = (
        what_if_acceptance(scenario, [4, 16], rates=[0.0, 0.8], method="des", backend=b, intervals=False)
        for b in (SERIAL, Backend("dask", scheduler=address))
    )
    assert one.tables == other.tables


def test_command_line_on_a_cluster(address: str, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("serial.csv", "dask.csv")]
    common = [
        "what-if",
        "sweep",
        "--mtp",
        "2",
        "--tp",
        "2",
        "--rates",
        "0,0.5",
        "--concurrency",
        "4,8",
        "--method",
        "des",
    ]
    assert cli.run([*common, "--backend", "serial", "--format", "csv", "--output", files[0]]) == 0
    assert cli.run([*common, "--backend", "dask", "--scheduler", address, "--format", "csv", "--output", files[1]]) == 0
    assert Path(files[0]).read_text() == Path(files[1]).read_text()


def test_an_interrupted_sweep_resumes(tasks: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "finished.jsonl"
    backend = replace(SERIAL, results=str(file))
    whole = backends.run_chunk
    calls = []

    def interrupted(chunk: list[Task]) -> list[dict[str, float]]:
        calls.append(len(chunk))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(chunk)

    monkeypatch.setattr(backends, "run_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_tasks(tasks, backend)
    monkeypatch.setattr(backends, "run_chunk", whole)
    kept = file.read_text().splitlines()
    assert kept[0] == HEADER
    assert len(kept) == 1 + calls[0]
    # cut off in the middle of a line, as a power failure does
    file.write_text(file.read_text() + '{"key": "abc", "metr')
    seen: list[int] = []
    found = run_tasks(tasks, backend, progress=lambda done, total: seen.append(done))
    assert seen[0] == calls[0]
    assert found == run_tasks(tasks, SERIAL)
    assert len(file.read_text().splitlines()) == 1 + len(tasks)
    monkeypatch.setattr(backends, "run_chunk", None)
    assert run_tasks(tasks, backend) == found


def test_an_interruption_says_what_is_kept(
    tasks: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = backends.run_chunk

    def interrupted(chunk: list[Task]) -> list[dict[str, float]]:
        if file.exists() and file.read_text().count("\n") > backends.CHUNK:
            raise KeyboardInterrupt
        return whole(chunk)

    file = tmp_path / "kept"
    monkeypatch.setattr(backends, "run_chunk", interrupted)
    words = f"what-if sweep --tp 2 --mtp 2 --concurrency 4,8 --rates 0..1:6 --backend serial --results {file}"
    assert cli.run(words.split()) == 130
    told = f"interrupted; 8 of 14 finished configurations are kept in {file}; the same command goes on from there"
    assert capsys.readouterr().err == f"mtpsim: {told}\n"


def test_damaged_lines_run_again(tasks: list[Task], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kept"
    backend = replace(SERIAL, results=str(file))
    found = run_tasks(tasks, backend)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[1] + lines[2], *lines[3:]]) + "\n")
    seen: list[int] = []
    assert run_tasks(tasks, backend, progress=lambda done, total: seen.append(done)) == found
    assert seen[0] == len(tasks) - 2
    assert "line 2 is damaged and kept aside in kept.damaged" in capsys.readouterr().err
    assert sorted(file.read_text().splitlines()[1:]) == sorted(lines[1:])


def test_other_configurations_do_not_share_results(tasks: list[Task]) -> None:
    keys = {task.key for task in tasks} | {replace(tasks[0], seed=2).key, replace(tasks[0], cap=7).key}
    assert len(keys) == len(tasks) + 2


def test_bad_input(tasks: list[Task], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Dask scheduler answered"):
        run_tasks(tasks[:1], Backend("dask", scheduler="tcp://127.0.0.1:9"))
    with pytest.raises(InputError, match="no Dask scheduler answered"):
        run_tasks(tasks[:1], Backend("dask", scheduler="nonsense://x"))
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="expected a file of earlier results"):
        run_tasks(tasks[:1], replace(SERIAL, results=str(other)))
    with pytest.raises(InputError, match="expected a file in a folder that there is"):
        run_tasks(tasks[:1], replace(SERIAL, results=str(tmp_path / "none" / "file")))
    with pytest.raises(InputError, match="--jobs"):
        Backend(jobs=0)
