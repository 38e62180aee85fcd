"""The reader against the shipped files, each fault it must refuse, the filter language, and Little's law by hand."""

from __future__ import annotations

import contextlib
import doctest
import hashlib
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.measurements import (
    METRICS,
    POINT_COLUMNS,
    implied_gpus,
    little_ratio,
    littles_law,
    mean_length,
    read_csv,
    select,
    write_csv,
)
from simulator.measurements.littles_law import HONEST_BAND, honest_band

MEASURED = Path(str(resources.files("simulator") / "measurements" / "published"))
ATOM = MEASURED / "atom_mi355x_tp4.csv"
SGLANG = MEASURED / "sglang_mi355x_8k1k.csv"
FRONTIER = MEASURED / "inferencex_frontier_fp4_1k1k.csv"

HEADER = "hardware,model,precision,engine,spec,isl,osl,tp,concurrency,total_tok_s_gpu,mean_ttft_ms,mean_tpot_ms"
GOOD = "MI355X,Qwen3.5-397B-A17B,FP4,ATOM,off,1024,1024,4,4,210.6925,134.84,9.1"
OTHER = "MI355X,Qwen3.5-397B-A17B,FP4,ATOM,off,1024,1024,4,8,383.34,139.08,10.05"


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def with_cell(column: str, value: str) -> str:
    cells = GOOD.split(",")
    cells[HEADER.split(",").index(column)] = value
    return ",".join(cells)


# --- what is read


@pytest.mark.parametrize(
    ("path", "kind", "rows"), [(ATOM, "points", 471), (SGLANG, "points", 32), (FRONTIER, "frontier", 6)]
)
def test_shipped_files_are_read_whole(path: Path, kind: str, rows: int) -> None:
    table = read_csv(path)
    assert (table.kind, len(table.rows)) == (kind, rows)
    assert len(table.points) + len(table.frontier) == rows
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [row.line for row in table.rows] == list(range(2, rows + 2))


def test_a_cell_is_what_the_file_says() -> None:
    first = read_csv(ATOM).points[0]
    assert (first.total_tok_s_gpu, first.mean_tpot_ms, first.tp, first.spec) == (210.6925, 9.1, 4, "off")
    assert (first.median_ttft_ms, first.dp_attention, first.acceptance_length) == (None, None, None)
    assert read_csv(SGLANG).points[-1].dp_attention is False
    assert read_csv(FRONTIER).frontier[2].cost_usd_per_mtok == 0.258


def test_names_are_trimmed_case_insensitive_in_any_order_and_extras_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    names = HEADER.split(",")[::-1]
    header = ", ".join(name.upper() for name in names) + ",Node"
    path.write_bytes(b"\xef\xbb\xbf" + f"{header}\r\n{', '.join(GOOD.split(',')[::-1])},rack 7\r\n\r\n".encode())
    (row,) = read_csv(path).points
    assert (row.concurrency, row.mean_tpot_ms, row.hardware) == (4, 9.1, "MI355X")
    assert row.extras == {"node": "rack 7"}


def test_absent_and_blank_columns_are_none(tmp_path: Path) -> None:
    (row,) = read_csv(write(tmp_path, HEADER, with_cell("mean_ttft_ms", ""))).points
    assert row.mean_ttft_ms is None
    assert row.kv_cache_dtype is None


def test_zero_draft_tokens_with_speculation_off_are_none(tmp_path: Path) -> None:
    (row,) = read_csv(write(tmp_path, f"{HEADER},spec_tokens", f"{GOOD},0")).points
    assert row.spec_tokens is None


def test_mtp_without_a_number_of_draft_tokens_is_read(tmp_path: Path) -> None:
    row = with_cell("spec", "MTP")
    (point,) = read_csv(write(tmp_path, f"{HEADER},spec_tokens,acceptance_length", f"{row},,2.5")).points
    assert (point.spec, point.spec_tokens, point.acceptance_length) == ("mtp", None, 2.5)


@pytest.mark.parametrize("path", [ATOM, SGLANG, FRONTIER])
def test_what_is_written_is_read_back(path: Path, tmp_path: Path) -> None:
    rows = read_csv(path).rows
    copy = tmp_path / "copy.csv"
    write_csv(copy, rows)
    again = read_csv(copy).rows
    assert [(r.line, {**vars(r), "file": ""}) for r in again] == [(r.line, {**vars(r), "file": ""}) for r in rows]
    assert [p.name for p in tmp_path.iterdir()] == ["copy.csv"]


def test_rows_of_both_kinds_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one kind"):
        write_csv(tmp_path / "both.csv", [read_csv(ATOM).rows[0], read_csv(FRONTIER).rows[0]])


# --- what is refused


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("isl", "1k", "found '1k', expected a whole number >= 1 (tokens)"),
        ("tp", "2.5", "found '2.5', expected a whole number"),
        ("mean_tpot_ms", "fast", "found 'fast', expected a number > 0 (ms)"),
        ("mean_tpot_ms", "NaN", "leave the cell blank when it was not published"),
        ("mean_tpot_ms", "inf", "found 'inf'"),
        ("mean_tpot_ms", "0", "found '0', expected a number > 0"),
        ("mean_tpot_ms", "-9.1", "found '-9.1'"),
        ("concurrency", "1e300", "from 1e-09 to 1e+12"),
        ("total_tok_s_gpu", "n/a", "leave the cell blank"),
        ("concurrency", "0", "found '0', expected a whole number >= 1"),
        ("spec", "medusa", "found 'medusa', expected off or mtp"),
        ("engine", "", "blank, expected text"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, column: str, value: str, words: str) -> None:
    message = refusal(write(tmp_path, HEADER, OTHER, with_cell(column, value)))
    assert f"line 3, column {column!r}: " in message
    assert words in message


@pytest.mark.parametrize(
    ("spec", "k", "length", "words"),
    [
        ("off", "", "2.5", "found 2.5 with spec = off, expected blank"),
        ("off", "3", "", "found 3 with spec = off"),
        ("mtp", "3", "4.01", "found 4.01, expected 1 to 4 (spec_tokens + 1)"),
        ("mtp", "3", "0.9", "found 0.9, expected 1 to 4"),
        ("mtp", "", "0.9", "expected 1 to spec_tokens + 1"),
    ],
)
def test_speculation_must_be_possible(tmp_path: Path, spec: str, k: str, length: str, words: str) -> None:
    row = f"{with_cell('spec', spec)},{k},{length}"
    assert words in refusal(write(tmp_path, f"{HEADER},spec_tokens,acceptance_length", row))


def test_the_ends_of_the_acceptance_range_are_read(tmp_path: Path) -> None:
    row = with_cell("spec", "mtp")
    lines = [f"{row},3,1", f"{row},3,4"]
    assert len(read_csv(write(tmp_path, f"{HEADER},spec_tokens,acceptance_length", *lines)).rows) == 2


def test_a_missing_column_is_named_with_what_was_found_and_expected(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, HEADER.replace("isl,", ""), GOOD.replace("1024,", "", 1)))
    assert "missing column 'isl'" in message
    assert "found columns hardware, model" in message
    assert "expected hardware, model" in message


@pytest.mark.parametrize(
    ("good", "bad"), [("concurrency", "concurency"), ("mean_tpot_ms", "mean_tpot"), ("osl", "oslen")]
)
def test_a_misspelt_column_is_offered_its_name(tmp_path: Path, good: str, bad: str) -> None:
    message = refusal(write(tmp_path, HEADER.replace(good, bad), GOOD))
    assert f"found {bad!r}, expected {good!r}: misspelt column?" in message


def test_a_file_without_any_metric_is_refused(tmp_path: Path) -> None:
    cut = [",".join(line.split(",")[:9]) for line in (HEADER, GOOD)]
    assert "no metric; expected at least one of total_tok_s_gpu" in refusal(write(tmp_path, *cut))


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, HEADER, with_cell("isl", "x"), with_cell("tp", "-1"), GOOD, GOOD))
    assert "3 faults" in message
    assert all(words in message for words in ("line 2", "line 3", "line 5: duplicate of line 4"))


def test_a_long_list_of_faults_is_cut(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, HEADER, *(with_cell("tp", f"-{i}") for i in range(1, 31))))
    assert "30 faults" in message
    assert "... and 10 more" in message
    assert message.count("\n") == 21


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("",), "empty file"),
        ((HEADER,), "no usable row among 0"),
        ((HEADER, ",".join(GOOD.split(",")[:9]) + ",,,"), "no usable row among 1"),
        ((HEADER, GOOD + ",1"), "line 2: found 13 cells, expected 12"),
        ((HEADER, GOOD.rsplit(",", 1)[0]), "line 2: found 11 cells, expected 12"),
        ((HEADER + ",tp", GOOD + ",4"), "column 'tp': found more than once"),
        ((HEADER.replace(",", ";"), GOOD.replace(",", ";")), "expected columns separated by commas"),
        ((HEADER, f'"{GOOD}'), "expected comma-separated values"),
    ],
)
def test_a_file_that_is_not_a_table_of_runs_is_refused(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    assert words in refusal(write(tmp_path, *lines))


def test_bytes_that_are_not_utf8_are_located(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(f"{HEADER}\n".encode() + GOOD.encode().replace(b"ATOM", b"AT\xd6M"))
    assert "line 2: byte 0xd6 is not UTF-8" in refusal(path)


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.csv")
    assert "directory" in refusal(tmp_path)


def test_a_frontier_of_one_point_is_refused(tmp_path: Path) -> None:
    header, mtp, off, *_ = FRONTIER.read_text(encoding="utf-8").splitlines()
    message = refusal(write(tmp_path, header, mtp, off, mtp.replace(",44,", ",45,")))
    assert "line 3: the only point of its frontier" in message
    assert "line 2" not in message


def test_other_shipped_tables_are_refused_as_measurements() -> None:
    assert "missing column 'concurrency'" in refusal(MEASURED / "kernels_mi355x_qwen35.csv")


# --- wrong units, each planted in shipped rows

PLANTED = {
    "mean_ttft_ms": ("mean_ttft_ms",),
    "mean_tpot_ms": ("mean_tpot_ms",),
    "both latencies": ("mean_ttft_ms", "mean_tpot_ms"),
    "throughput": ("total_tok_s_gpu", "output_tok_s_gpu"),
}


@pytest.mark.parametrize("source", [ATOM, SGLANG])
@pytest.mark.parametrize("what", PLANTED)
def test_every_row_in_a_wrong_unit_is_seen(tmp_path: Path, source: Path, what: str) -> None:
    rows = [row for row in read_csv(source).points if row.mean_ttft_ms is not None]
    for row in rows:
        object.__setattr__(row, "extras", {})
        for column in PLANTED[what]:
            object.__setattr__(row, column, getattr(row, column) / 1000)
    path = tmp_path / "planted.csv"
    write_csv(path, rows)
    message = refusal(path)
    assert f"{len(rows) * len(PLANTED[what])} faults" in message
    assert (
        "looks like thousand tok/s" if what == "throughput" else "looks like seconds; expected milliseconds"
    ) in message


def test_seconds_are_seen_without_a_throughput(tmp_path: Path) -> None:
    cells = with_cell("total_tok_s_gpu", "").replace("134.84", "0.13484")
    assert "column 'mean_ttft_ms': found 0.13484 beside a TPOT of 9.1 ms" in refusal(write(tmp_path, HEADER, cells))


def test_a_mislabelled_replica_is_not_called_a_wrong_unit(tmp_path: Path) -> None:
    assert len(read_csv(write(tmp_path, HEADER, with_cell("total_tok_s_gpu", "842.77"))).rows) == 1


# --- Little's law


def test_little_by_hand() -> None:
    # 104.8325 output tok/s/GPU x 4 GPUs / 921.6 tokens x (0.13484 s + 920.6 x 0.0091 s) = 3.8732 of 4 requests
    row = read_csv(ATOM).points[0]
    assert little_ratio(row) == pytest.approx(3.8732 / 4, rel=1e-4)
    assert mean_length(8192) == pytest.approx(7372.8)


def test_shipped_rows_keep_well_inside_the_band() -> None:
    ratios = [r for path in (ATOM, SGLANG) for row in read_csv(path).points if (r := little_ratio(row)) is not None]
    assert len(ratios) == 482
    assert min(ratios) == pytest.approx(0.9536, abs=1e-4)
    assert max(ratios) == pytest.approx(0.9899, abs=1e-4)
    assert HONEST_BAND[0] + 0.05 < min(ratios)
    assert max(ratios) < HONEST_BAND[1] - 0.04 + 1e-3


def test_medians_get_a_wider_band(tmp_path: Path) -> None:
    (row,) = read_csv(write(tmp_path, HEADER.replace("mean_t", "median_t"), GOOD)).points
    assert honest_band(row) == pytest.approx((0.80, 1.13))
    assert little_ratio(row) == pytest.approx(0.974, abs=1e-3)


def test_implied_gpus_are_those_of_the_readme() -> None:
    rows = read_csv(FRONTIER).frontier
    implied = [
        implied_gpus(row.concurrency or 0.0, row.interactivity_tok_s_user, row.isl, row.osl, row.total_tok_s_gpu)
        for row in rows
    ]
    assert [round(gpus) for gpus in implied] == [2, 2, 2, 2, 2, 4]


def test_examples() -> None:
    assert doctest.testmod(littles_law) == doctest.TestResults(0, 1)


# --- select


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("precision = FP4", 180),
        ("precision == fp4 and spec=off", 180),
        ("spec = mtp", 90),
        ("spec = mtp and acceptance_length = 1", 34),
        ("spec = mtp and acceptance_length != 1.0", 56),
        ("concurrency >= 128 and concurrency<256 or concurrency = 4", 0),
        ("date >= 2026-05-24", 0),
        ('model = "qwen3.5-397b-a17b" and TP > 3', 471),
        ("mean_tpot_ms < 4", 0),
    ],
)
def test_select_is_the_plain_filter(expression: str, count: int) -> None:
    rows = read_csv(ATOM).points
    by_hand = {
        "concurrency >= 128 and concurrency<256 or concurrency = 4": [r for r in rows if r.concurrency in (4, 128)],
        "date >= 2026-05-24": [r for r in rows if (r.date or "") >= "2026-05-24"],
        "mean_tpot_ms < 4": [r for r in rows if r.mean_tpot_ms is not None and r.mean_tpot_ms < 4],
    }
    chosen = select(rows, expression)
    assert len(chosen) == (len(by_hand[expression]) if expression in by_hand else count)
    assert set(chosen) == set(by_hand.get(expression, chosen))


def test_select_sees_extras_and_quoted_values(tmp_path: Path) -> None:
    rows = read_csv(write(tmp_path, f"{HEADER},node", f"{GOOD},rack 7", f"{OTHER},rack 8")).points
    assert [row.line for row in select(rows, "node = 'RACK 8' and isl=1024")] == [3]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("precison = FP8", "did you mean 'precision'"),
        ("tp = four", "expected a number"),
        ("precision", "found 'precision', expected a comparison"),
        ("", "found 'the end'"),
        ("precision = FP8 and", "expected a comparison"),
        ("precision = FP8, tp = 4", "expected 'and' or 'or'"),
        ("model = a b", "quote values with spaces"),
        ("precision = 'FP8", "cannot read"),
        ("precision = NVFP4", "precision holds FP4, FP8"),
        ("__class__ = x", "unknown column '__class__'"),
        ("__import__('os') = 1", "expected a comparison"),
    ],
)
def test_a_bad_expression_is_explained(expression: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        select(read_csv(ATOM).points, expression)
    assert words in str(caught.value)


@given(st.text(max_size=40))
def test_any_expression_selects_or_is_refused(expression: str) -> None:
    rows = read_csv(FRONTIER).rows
    with contextlib.suppress(InputError):
        assert select(rows, expression)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "runs.csv"
    path.write_bytes(HEADER.encode() + b"\n" + data)
    with contextlib.suppress(InputError):
        assert read_csv(path).rows


def test_every_column_of_the_readme_is_in_the_schema() -> None:
    readme = (MEASURED / "README.md").read_text(encoding="utf-8")
    block = readme.split("## Columns of the points files")[1].split("`")[1]
    names = [name.split("(")[0].strip() for name in block.replace("\n", " ").split(",")]
    assert set(names) <= set(POINT_COLUMNS)
    assert set(METRICS) <= set(POINT_COLUMNS)


@pytest.mark.parametrize("written", ["off", "OFF", "none"])
def test_no_drafting_by_the_names_of_engines(tmp_path: Path, written: str) -> None:
    (row,) = read_csv(write(tmp_path, HEADER, with_cell("spec", written))).rows
    assert row.spec == "off"


@pytest.mark.parametrize(
    "written", ["mtp", "EAGLE", "eagle3", "EAGLE-3", "NEXTN", "draft_model", "draft-model", "ngram"]
)
def test_drafting_by_the_names_of_engines(tmp_path: Path, written: str) -> None:
    (row,) = read_csv(write(tmp_path, HEADER, with_cell("spec", written))).rows
    assert row.spec == "mtp"
