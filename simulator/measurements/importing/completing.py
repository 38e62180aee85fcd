"""From a record and what the user knows to a row: nothing is guessed, and what is missing is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from simulator.errors import brief
from simulator.facts.reading import is_configuration, load_model, named_model
from simulator.measurements.importing.known import READINGS, agree, ships
from simulator.measurements.importing.taken import OUTPUT, TOTAL, Record, Taken
from simulator.measurements.parsing import Faults, parse_row
from simulator.measurements.rows import (
    CLOSED_COLUMNS,
    METRICS,
    OPEN_COLUMNS,
    MeasuredPoint,
    OpenLoopPoint,
)
from simulator.units import KILO

RATE = "request_rate_per_s"
THROUGHPUTS = {TOTAL: "total_tok_s_gpu", OUTPUT: "output_tok_s_gpu"}


def complete(record: Record, known: Mapping[str, str], faults: Faults) -> MeasuredPoint | OpenLoopPoint | list[str]:
    """The row of a record, or the columns that are missing; of a faulty record an empty list, its faults noted.

    ``record.taken`` is completed in place, so that it says of every column of the row where it is from.

    Args:
        record: of a tool's file.
        known: column -> value, as the user states it.
        faults: of the file.
    """
    before = len(faults.found)
    _add(record, known, faults)
    _follow(record)
    _read_as(record, known)
    _per_gpu(record)
    columns = OPEN_COLUMNS if record.value(RATE) is not None else CLOSED_COLUMNS
    if record.value(RATE) is not None and record.value("concurrency") is not None:
        there, here = record.taken["concurrency"], record.taken[RATE]
        faults.add(
            f"found concurrency {there.value} ({there.field}) and {RATE} {here.value} ({here.field}), expected one "
            "of them",
            line=record.number,
        )
    missing = [name for name, column in columns.items() if column.required and record.value(name) is None]
    if missing or len(faults.found) > before:
        return missing
    cells = {name: _text(record.value(name)) for name in columns}
    values = parse_row(columns, cells, record.number, faults)
    if values is None:
        return []
    if not any(values.get(name) is not None for name in METRICS):
        faults.add("no throughput, TTFT or TPOT; expected at least one", line=record.number)
        return []
    own = {name for name in record.taken if name not in columns and name not in (TOTAL, OUTPUT)}
    extras = {name: _text(record.value(name)) for name in sorted(own)}
    values |= {"file": record.file, "line": record.number, "extras": extras}
    if record.notes and values.get("notes") is None:
        values["notes"] = "; ".join(record.notes)
    return OpenLoopPoint(**values) if columns is OPEN_COLUMNS else MeasuredPoint(**values)


def _add(record: Record, known: Mapping[str, str], faults: Faults) -> None:
    """What the user states; against what the file says it is a fault."""
    for name, value in known.items():
        if name in READINGS:
            continue
        option = f"--set {name}"
        found = record.taken.get(name)
        if found is None:
            record.put(name, value, option, definition="given")
        elif found.weak or (name == "model" and not ships("model", str(found.value))):
            if not found.weak and not agree(name, found.value, value):
                record.note(f"the file names the model {found.value}; read as {value} (--set model)")
                record.put("checkpoint", found.value, found.field, definition="weights as the file names them")
            record.taken[name] = found.given(value, option)
        elif not agree(name, found.value, value):
            faults.add(
                f"{name} is {brief(found.value)} by {found.field!r} and {value!r} by {option}, expected one of them",
                line=record.number,
            )


def _follow(record: Record) -> None:
    """What the name of a repository says: the checkpoint, and its precision where it ships."""
    model = record.value("model")
    if model is None:
        return
    where = record.taken["model"].field
    meant = named_model(str(record.value("checkpoint") or model))
    if meant is not None and meant.checkpoint is not None:
        precision = load_model(meant.profile).checkpoints[meant.checkpoint].precision
        record.put("precision", precision, where, definition=f"that of checkpoint {meant.checkpoint}", weak=True)
        if not agree("precision", record.value("precision"), precision):
            return  # quantised as it was loaded: not the checkpoint that the repository holds
    if "/" in model and not is_configuration(model) and not model.startswith(("/", ".", "~")):
        record.put("checkpoint", model, where, definition="the repository", weak=True)


def _read_as(record: Record, known: Mapping[str, str]) -> None:
    """Figures in another unit, or of something else, than the tool writes: only where the user says so."""
    unit, of, counts = (known.get(name) for name in ("latency_unit", "throughput_of", "throughput_counts"))
    for name, taken in list(record.taken.items()):
        if unit == "s" and name.endswith("_ms") and taken.unit == "ms":
            text = f"{taken.definition}; read as s (--set latency_unit=s): x {KILO:g}"
            record.taken[name] = replace(taken, value=taken.value * KILO, unit="s", definition=text)
        elif unit == "ms" and name.endswith("_ms") and taken.unit == "s":
            text = f"{taken.definition}; read as ms (--set latency_unit=ms): / {KILO:g}"
            record.taken[name] = replace(taken, value=taken.value / KILO, unit="ms", definition=text)
    _counted(record, counts)
    gpus = _gpus(record)
    for all_of, each in THROUGHPUTS.items():
        whole, own = record.taken.get(all_of), record.taken.get(each)
        if of == "gpu" and whole is not None:
            del record.taken[all_of]
            record.put(each, whole.value, whole.field, whole.unit, f"{whole.definition}; per GPU (--set throughput_of)")
        if of == "replica" and own is not None and gpus:
            text = f"{own.definition}; of the replica (--set throughput_of): / {gpus}"
            record.taken[each] = replace(own, value=own.value / gpus, definition=text)


def _counted(record: Record, counts: str | None) -> None:
    """Total labelled output, or the other way."""
    isl, osl = record.value("isl"), record.value("osl")
    if counts is None or not isl or not osl:
        return
    share = float(osl) / (float(isl) + float(osl))
    for all_of, each in ((TOTAL, OUTPUT), tuple(THROUGHPUTS.values())):
        total, output = record.taken.get(all_of), record.taken.get(each)
        if counts == "output" and total is not None:
            text = f"{total.definition}; output tokens by --set throughput_counts"
            record.taken[each] = replace(total, column=each, definition=text)
            record.taken[all_of] = replace(total, value=total.value / share, definition=f"{text}: / {share:.4g}")
        if counts == "total" and output is not None:
            text = f"{output.definition}; input and output tokens by --set throughput_counts"
            record.taken[all_of] = replace(output, column=all_of, definition=text)
            record.taken[each] = replace(output, value=output.value * share, definition=f"{text}: x {share:.4g}")


def _gpus(record: Record) -> int | None:
    found = record.value("gpus") or record.value("tp")
    try:
        return None if found is None else int(float(found))
    except ValueError:
        return None


def _per_gpu(record: Record) -> None:
    gpus = _gpus(record)
    for all_of, each in THROUGHPUTS.items():
        found = record.taken.get(all_of)
        if found is not None and gpus:
            text = f"{found.definition}; / {gpus} GPU{'s' if gpus > 1 else ''}"
            record.taken.setdefault(each, Taken(each, found.value / gpus, found.field, found.unit, text))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return ("false", "true")[value]
    return repr(float(value)) if isinstance(value, float) and value != int(value) else str(value)


def explained(record: Record) -> Iterator[Taken]:
    """What a row is made of, in the order of the schema; figures of all GPUs are under those per GPU."""
    order = [*OPEN_COLUMNS, "concurrency", "requests_per_client"]
    names = sorted(record.taken, key=lambda name: (order.index(name) if name in order else len(order), name))
    for name in names:
        if name not in (TOTAL, OUTPUT):
            yield record.taken[name]
