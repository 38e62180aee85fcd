"""What several tools have in common: how requests came, lengths from totals, and times that include the first token."""

from __future__ import annotations

import math
from collections.abc import Callable

from simulator.measurements.importing.content import Content
from simulator.measurements.importing.fields import Fields
from simulator.measurements.importing.taken import OUTPUT, TOTAL, Record
from simulator.measurements.parsing import Faults
from simulator.units import KILO

TTFT = "time to first token"
TPOT = "(E2E - TTFT) / (output tokens - 1), a request each"
ITL = "time between chunks of the stream, whatever tokens each holds: a multiple of TPOT where it is more than one"
E2E = "from sending a request to its last token"
MEAN_LENGTH = "mean over requests, rounded; taken as fixed, since the file does not say how lengths spread"
FIXED = 1.0
BINDS = 0.9
"""From this share of its limit on, a client that sends at a rate waits for answers instead."""


def each_record(content: Content, tool: str, make: Callable[[Fields], Record], place: str = "record") -> list[Record]:
    """What ``make`` takes from every record of a file; ``place`` is what messages call one, before its number.

    Raises:
        InputError: a faulty value, all of them at once.
    """
    faults = Faults(content.name)
    records = [
        make(Fields(one, Record(tool, content.name, number), faults, f"{place} {number}"))
        for number, one in content.objects
    ]
    faults.raise_if_any()
    return records


def no_drafts(record: Record) -> None:
    """Of a tool whose files never say whether there were drafts."""
    text = "taken, since the file says nothing of drafts; --set spec=mtp if there were"
    record.put("spec", "off", "-", definition=text, weak=True)


def completed(fields: Fields, *paths: str) -> int | None:
    """Finished requests; none finished is a fault."""
    path = fields.first(*paths)
    count = fields.count(path, zero=True)
    if path is not None and count == 0:
        fields.fault(path, "found 0 finished requests, expected at least one: there is nothing to compare with")
        return None
    if path is not None:
        fields.record.put("requests", count, path, definition="finished requests")
    return count


def mean_lengths(
    fields: Fields, isl: float | None, osl: float | None, isl_field: str, osl_field: str, unit: str = "tokens"
) -> None:
    """Take mean lengths: a row's lengths are then fixed ones."""
    for column, value, where in (("isl", isl, isl_field), ("osl", osl, osl_field)):
        if value is None:
            continue
        if value < 0.5:
            fields.fault(where, f"found a mean of {value:g} tokens, expected at least 1")
            continue
        fields.record.put(column, max(1, round(value)), where, unit, f"{MEAN_LENGTH} (mean {value:.6g})")
    if isl is not None and osl is not None:
        fields.record.put("range_ratio", FIXED, f"{isl_field}, {osl_field}", "", "means are given: lengths fixed")


def arrivals(
    record: Record,
    *,
    concurrency: tuple[float | None, str],
    rate: tuple[float | None, str],
    prompts: tuple[int | None, str] = (None, ""),
    burstiness: tuple[float | None, str] = (None, ""),
) -> None:
    """Whether a run is a closed loop, an open loop, or a burst; each argument is (value, field).

    A finite rate without a limit, or below it, is an open loop. A limit that is reached, or an infinite rate, is a
    closed loop. An infinite rate without a limit is a burst: as many clients as prompts, each with one request.
    """
    limit, limit_field = concurrency
    per_s, rate_field = rate
    if per_s is not None and math.isfinite(per_s):
        flying = in_flight(record)
        if limit is None or (flying is not None and flying < BINDS * limit):
            record.put("request_rate_per_s", per_s, rate_field, "1/s", "an open loop: requests are sent at this rate")
            if burstiness[0] is not None:
                record.put("burstiness", burstiness[0], burstiness[1], "", "shape of gamma-distributed gaps")
            if limit is not None:
                record.put("max_concurrency", round(limit), limit_field, "requests", "a limit that was not reached")
            return
        state = "is reached" if flying is not None else "may be reached"
        record.note(f"{rate_field} {per_s:g}/s beside {limit_field} {limit:g}, which {state}: a closed loop")
    if limit is not None:
        if limit != int(limit):
            record.put("concurrency", max(1, round(limit)), limit_field, "requests", "measured mean in flight, rounded")
        else:
            record.put("concurrency", int(limit), limit_field, "requests", "most requests in flight: a closed loop")
    elif per_s is not None and prompts[0]:
        text = "all requests are sent at once (infinite rate, no limit): as many clients as prompts, one request each"
        record.put("concurrency", prompts[0], f"{rate_field}, {prompts[1]}", "requests", text)
        record.put("requests_per_client", 1, f"{rate_field}, {prompts[1]}", "requests", text)


def in_flight(record: Record) -> float | None:
    """Mean requests in flight by Little's law: finished per second x mean latency; None where either is unknown."""
    rate, latency = record.value("requests_per_s"), record.value("mean_e2e_ms")
    return None if rate is None or latency is None else float(rate * latency / KILO)


def from_tokens(
    record: Record,
    tokens: tuple[float | None, float | None],
    seconds: float | None,
    field: str,
    text: str = "tokens over the duration of the run",
) -> None:
    """Throughput of all GPUs from token counts and a duration, where the file does not state it."""
    given, made = tokens
    if not seconds:
        return
    if made is not None:
        record.put(OUTPUT, made / seconds, field, "tok/s", f"output {text}")
    if given is not None and made is not None:
        record.put(TOTAL, (given + made) / seconds, field, "tok/s", f"input and output {text}")


def tpot_of_means(record: Record, length: float | None) -> None:
    """TPOT from mean latencies, where the tool has none of our definition."""
    ttft, e2e = record.value("mean_ttft_ms"), record.value("mean_e2e_ms")
    if ttft is None or e2e is None or length is None or length <= 1.0 or e2e <= ttft:
        return
    fields = f"{record.taken['mean_e2e_ms'].field}, {record.taken['mean_ttft_ms'].field}"
    text = "(mean E2E - mean TTFT) / (mean output tokens - 1): weighs tokens, not requests"
    record.put("mean_tpot_ms", (e2e - ttft) / (length - 1.0), fields, record.taken["mean_e2e_ms"].unit, text)


def chunks(record: Record) -> None:
    """What ITL over TPOT says: tokens per chunk, or, with speculation, the acceptance length."""
    itl, tpot = record.value("mean_itl_ms"), record.value("mean_tpot_ms")
    if not itl or not tpot:
        return
    per_chunk = itl / tpot
    record.put("itl_over_tpot", per_chunk, f"{record.taken['mean_itl_ms'].field} over TPOT", "", "tokens per chunk")
    if per_chunk < MORE_THAN_ONE:
        return
    drafting = record.value("spec") not in (None, "off", "none")
    if drafting and record.value("acceptance_length") is None and per_chunk <= MOST_ACCEPTED:
        record.note(
            f"ITL / TPOT = {per_chunk:.2f}: the acceptance length if every round is a chunk (stream interval 1); "
            f"--set acceptance_length={per_chunk:.2f} takes it so"
        )
    elif not drafting:
        record.note(f"ITL / TPOT = {per_chunk:.2g}: chunks of several tokens; ITL is not TPOT and was not taken for it")


MORE_THAN_ONE = 1.15
"""From this ITL over TPOT on, chunks hold more than one token."""
MOST_ACCEPTED = 8.0
"""Longest acceptance length that ITL over TPOT is read as."""
