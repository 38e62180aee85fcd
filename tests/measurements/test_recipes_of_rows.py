"""Which recipe a measured run was launched by: its own, else that of its day and engine version."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import InputError
from simulator.measurements import read_csv
from simulator.measurements.configuration import Configuration, configuration
from simulator.measurements.files import shipped_measurements

HEADER = "hardware,model,precision,engine,spec,isl,osl,tp,concurrency,mean_ttft_ms,mean_tpot_ms"
RUN = "MI355X,Qwen3.5-397B-A17B,FP4,SGLang,off,8192,1024,2,64,900,20"


def configured(tmp_path: Path, columns: str, cells: str, run: str = RUN) -> Configuration:
    file = tmp_path / "runs.csv"
    file.write_text(f"{HEADER}{columns}\n{run}{cells}\n")
    return configuration(read_csv(file).points[0])


@pytest.mark.parametrize(
    ("columns", "cells", "recipe", "chunk"),
    [
        ("", "", "sglang-mi355x-fp4-2026-08", 32768),
        (",date", ",2026-07-20", "sglang-mi355x-fp4-2026-07", 16384),
        (",date", ",2026-07-20T08:30", "sglang-mi355x-fp4-2026-07", 16384),
        (",date", ",summer", "sglang-mi355x-fp4-2026-08", 32768),
        (",date", ",2024-01-01", "sglang-amd", 16384),
        (",date,engine_version", ",2026-07-20,v0.5.19-rocm720-mi35x-20260913", "sglang-mi355x-fp4-2026-08", 32768),
        (",engine_version", ",v0.5.15", "sglang-mi355x-fp4-2026-07", 16384),
        (",date,recipe", ",2026-07-20,sglang-mi355x-fp4-2026-08", "sglang-mi355x-fp4-2026-08", 32768),
        (",recipe", ",none", "none", 16384),
    ],
)
def test_a_row_is_launched_by(tmp_path: Path, columns: str, cells: str, recipe: str, chunk: int) -> None:
    found = configured(tmp_path, columns, cells)
    assert (found.recipe, found.deployment.engine.chunk_tokens) == (recipe, chunk)
    assert found.deployment.launch.recipe == (None if recipe == "none" else recipe)


def test_days_of_one_recipe_are_one_configuration(tmp_path: Path) -> None:
    """Runs of one launch are repetitions of each other, whatever their day."""
    one, two, other = (configured(tmp_path, ",date", f",{day}") for day in ("2026-09-01", "2026-09-14", "2026-08-01"))
    assert one == two != other


def test_drafts_of_a_row_choose_its_recipe(tmp_path: Path) -> None:
    run = "B200,Qwen3.5-397B-A17B,FP8,SGLang,mtp,8192,1024,8,64,900,20"
    assert configured(tmp_path, "", "", run).recipe == "sglang-b200-fp8-mtp"
    assert configured(tmp_path, "", "", run.replace("mtp", "off")).recipe == "sglang-b200-fp8"


def test_a_recipe_that_there_is_not_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2: unknown recipe 'sglang-mi355x-fp9'"):
        configured(tmp_path, ",recipe", ",sglang-mi355x-fp9")
    with pytest.raises(InputError, match="line 2: --recipe atom-mi355x: it launches atom"):
        configured(tmp_path, ",recipe", ",atom-mi355x")


def test_the_shipped_runs_have_the_recipes_of_their_images() -> None:
    rows = [*read_csv(shipped_measurements("sglang_mi355x_8k1k.csv")).points]
    found = {(row.precision, configuration(row).recipe) for row in rows}
    assert found == {("FP4", "sglang-mi355x-fp4-2026-08"), ("FP8", "sglang-mi355x-fp8-2026-06")}
    atom = read_csv(shipped_measurements("atom_mi355x_tp4.csv")).points[::40]
    assert {configuration(row).recipe for row in atom} == {"atom-mi355x"}


def test_trtllm_rows_are_read(tmp_path: Path) -> None:
    run = "B200,Qwen3.5-397B-A17B,FP8,TensorRT-LLM,off,8192,1024,8,64,900,20"
    for engine in ("TensorRT-LLM", "TRT-LLM"):
        found = configured(tmp_path, "", "", run.replace("TensorRT-LLM", engine))
        assert (found.deployment.engine.name, found.recipe) == ("trtllm", "trtllm-default")
