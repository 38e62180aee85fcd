"""GuideLLM: ``benchmarks.json`` with a run in each of ``benchmarks``, of reports of both versions."""

from __future__ import annotations

from simulator.measurements.importing.content import Content
from simulator.measurements.importing.fields import Fields
from simulator.measurements.importing.shared import E2E, TPOT, TTFT, arrivals, completed, mean_lengths, no_drafts
from simulator.measurements.importing.taken import OUTPUT, TOTAL, Record
from simulator.measurements.parsing import Faults

NAME = "GuideLLM"
NEEDS = "benchmarks[] with metrics.time_to_first_token_ms.successful"
STRATEGIES = ("config.strategy", "args.strategy", "scheduler.strategy", "strategy", "args.profile", "config.profile")
INCLUDES = "inter_token_latency_ms is TPOT; time_per_output_token_ms includes the first token and is not taken"
PERCENTILES = {"mean": ("mean",), "median": ("median", "percentiles.p50"), "p99": ("percentiles.p99",)}


def recognises(head: Content) -> bool:
    """By ``benchmarks``, a list of objects with ``metrics``."""
    if not head.is_json or "benchmarks" not in head.keys:
        return False
    benchmarks = head.objects[0][1]["benchmarks"]
    return isinstance(benchmarks, list) and all(isinstance(one, dict) and "metrics" in one for one in benchmarks)


def read(content: Content) -> list[Record]:
    """The runs of a file.

    Raises:
        InputError: no run, or a faulty value, all of them at once.
    """
    faults = Faults(content.name)
    records: list[Record] = []
    for _, report in content.objects:
        for found in report.get("benchmarks", []):
            number = len(records) + 1
            fields = Fields({**found, "report": report}, Record(NAME, content.name, number), faults)
            records.append(_record(fields))
    if not records:
        faults.add("key 'benchmarks': found an empty list, expected at least one run")
    faults.raise_if_any()
    return records


def _record(fields: Fields) -> Record:
    record = fields.record
    under = "metrics"
    done = completed(
        fields,
        *(f"{root}.successful" for root in (f"{under}.request_totals", "request_totals", "run_stats.requests_made")),
    )
    fields.take(
        "model",
        *("config.backend.model", "worker.backend_model", "worker.model", "backend.model", "args.backend.model"),
        *("report.args.model", "report.config.spec.backend.model", "report.config.backend.model"),
    )
    for name, metric, unit, text in (
        ("ttft", "time_to_first_token_ms", "ms", TTFT),
        ("tpot", "inter_token_latency_ms", "ms", f"{TPOT}; {INCLUDES}"),
        ("e2e", "request_latency", "s", E2E),
        ("e2e", "request_latency_ms", "ms", E2E),
    ):
        patterns = {s: [_at(fields, metric, path) for path in paths] for s, paths in PERCENTILES.items()}
        fields.latencies(name, patterns, unit, text, zero=name == "tpot")
    given, made = (_at(fields, f"{side}_token_count", "mean") for side in ("prompt", "output"))
    isl, osl = fields.number(given), fields.number(made)
    mean_lengths(fields, isl, osl, given, made)
    _throughput(fields, done, isl, osl)
    _load(fields)
    no_drafts(record)
    per_chunk = fields.number(_at(fields, "output_tokens_per_iteration", "mean"))
    if per_chunk is not None:
        path = _at(fields, "output_tokens_per_iteration", "mean")
        record.put("itl_over_tpot", per_chunk, path, "tokens", "tokens per chunk of the stream")
    return record


def _at(fields: Fields, metric: str, path: str) -> str:
    """Where a statistic of the successful requests stands; reports of some versions have no such level."""
    inner = f"metrics.{metric}.successful.{path}"
    return inner if fields.get(inner) is not None else f"metrics.{metric}.{path}"


def _throughput(fields: Fields, done: int | None, isl: float | None, osl: float | None) -> None:
    """Token counts over the duration; tokens_per_second is a mean over requests and is not it."""
    record = fields.record
    seconds = fields.number("duration")
    where, rate = "duration", None
    if seconds is None:
        ends = [fields.number(f"{one}_time", zero=True) for one in ("start", "end")]
        if ends[0] is not None and ends[1] is not None and ends[1] > ends[0]:
            seconds, where = ends[1] - ends[0], "end_time - start_time"
    if seconds is not None and done:
        rate = done / seconds
    else:
        where = _at(fields, "requests_per_second", "mean")
        rate = fields.number(where)
    if rate is None:
        return
    record.put("requests_per_s", rate, f"request_totals.successful, {where}", "1/s", "finished requests per second")
    fields_used = f"token counts, {where}"
    if osl is not None:
        text = "output tokens of finished requests per second, all GPUs"
        record.put(OUTPUT, osl * rate, fields_used, "tok/s", text)
        if isl is not None:
            text = "input and output tokens of finished requests per second, all GPUs; tokens_per_second is not it"
            record.put(TOTAL, (isl + osl) * rate, fields_used, "tok/s", text)


def _load(fields: Fields) -> None:
    record = fields.record
    strategy = next((one for one in STRATEGIES if isinstance(fields.get(one), dict)), "config.strategy")
    kind = (fields.text(f"{strategy}.type_") or fields.text(f"{strategy}.kind") or "").lower()
    mean_path = _at(fields, "request_concurrency", "mean")
    streams = fields.first(f"{strategy}.streams", f"{strategy}.max_concurrency")
    limit = None if isinstance(fields.get(streams or ""), list) else fields.number(streams)
    rate_path = f"{strategy}.rate"
    rate = None if isinstance(fields.get(rate_path), list) else fields.number(rate_path)
    if kind == "synchronous":
        record.put("concurrency", 1, f"{strategy}.type_", "requests", "synchronous: one request at a time")
        return
    if kind in ("constant", "poisson", "async") or (limit is None and rate is not None):
        arrivals(record, concurrency=(None, ""), rate=(rate, rate_path))
        if kind == "constant" and record.value("request_rate_per_s") is not None:
            record.note("constant rate: gaps are even, and are compared with Poisson ones")
        return
    if limit is not None and kind != "throughput":
        arrivals(record, concurrency=(limit, streams or ""), rate=(None, ""))
        return
    mean = fields.number(mean_path)
    if mean is not None:
        text = f"{kind or 'the strategy'} states no number of clients: the measured mean in flight, rounded"
        record.put("concurrency", max(1, round(mean)), mean_path, "requests", text, weak=True)
        record.note(text)
