"""A traffic file in numbers: requests, rate over time, lengths, burstiness, and prefixes that prompts share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import number
from simulator.errors import InputError
from simulator.files.limits import within
from simulator.files.paths import user_path
from simulator.results.table import Result
from simulator.traffic.describe_lengths import length_figures
from simulator.traffic.describe_sessions import SessionsSummary, describe_sessions
from simulator.traffic.formats.head import Head
from simulator.traffic.reuse import lru_rows, reuse_of_trace
from simulator.traffic.session_files import holds_sessions, read_sessions, sessions_in
from simulator.traffic.trace import Rates, Trace
from simulator.traffic.traces import opened, traffic_in
from simulator.units import SECONDS, duration_text, parse_duration

Array = NDArray[np.float64]

_STEPS: dict[str, tuple[int, ...]] = {"ms": (1, 10, 100), "s": (1, 5, 10, 30), "min": (1, 5, 10, 30), "h": (1, 6)}
WINDOWS = tuple(SECONDS[unit] * n for unit, steps in _STEPS.items() for n in steps)
"""Lengths of a window to choose from, s."""
AS_MANY = 80
"""Windows at most, where the user names no length."""
BYTES_OF_WINDOW = 300
ROUNDING = 1e-12
"""Of a span that is a whole number of windows."""
FEWEST = 3
"""Requests or windows below which nothing is said of their spread."""


@dataclass(frozen=True)
class TraceSummary(Result):
    """One traffic file.

    Attributes:
        meta: file, format and what was left out.
        figures: one row under the names of the columns; None is what the file does not hold.
        windows: start (s), requests and rate of each window.
        traffic: the file itself.
        lru: hit rate by the size of a prefix cache that drops what was used longest ago; empty where the file does not
            say which prompts are alike.
    """

    meta: Mapping[str, Any]
    figures: Mapping[str, Any]
    windows: tuple[Mapping[str, Any], ...]
    traffic: Trace | Rates
    lru: tuple[Mapping[str, Any], ...] = ()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The figures."""
        return [self.figures]

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``figures``, ``windows``, ``lru``."""
        return {
            "meta": self.meta,
            "figures": self.figures,
            "windows": list(self.windows),
            "lru": list(self.lru),
        }


def describe_trace(path: str, *, window: str | float | None = None) -> TraceSummary | SessionsSummary:
    """A traffic file in numbers.

    Args:
        path: of a trace, a rate profile or sessions, in any format that is read; which one is seen by its content. A
            folder is one of sessions.
        window: in which requests are counted, such as ``"1min"``, or seconds; None: at most 80 windows.

    Raises:
        InputError: no known format, the first faulty lines by number, or a window that is none.

    Example:
        >>> import tempfile, os
        >>> path = os.path.join(tempfile.mkdtemp(), "t.csv")
        >>> _ = open(path, "w").write("arrival_s,input_tokens,output_tokens\\n0,10,5\\n1,30,5\\n2,20,8\\n")
        >>> found = describe_trace(path)
        >>> found.figures["requests"], found.figures["mean_input_tokens"], found.figures["cv_of_gaps"]
        (3, 20.0, 0.0)
    """
    seconds = parse_duration("--window", window) if isinstance(window, str) else window
    if seconds is not None and number("--window", seconds, "seconds above 0") <= 0:
        raise InputError(f"--window: expected seconds above 0, found {seconds:g}")
    head = None if user_path("trace", path).is_dir() else opened(path)
    if head is None or holds_sessions(head):
        return _of_sessions(path, head, seconds)
    found = traffic_in(head)
    if isinstance(found, Rates):
        return _of_rates(path, found, seconds)
    return _of_trace(path, found, seconds)


def _of_sessions(path: str, head: Head | None, seconds: float | None) -> SessionsSummary:
    if seconds is not None:
        raise InputError(
            f"--window: {path} has sessions, whose requests have no times of their own; expected no --window"
        )
    return describe_sessions(path, read_sessions(path) if head is None else sessions_in(head))


def _of_trace(path: str, trace: Trace, seconds: float | None) -> TraceSummary:
    length = _window(trace.span, seconds)
    count = max(1, math.ceil(trace.span / length * (1 - ROUNDING)))
    within("points", count, f"windows of {duration_text(length)}", bytes_each=BYTES_OF_WINDOW)
    since = trace.send - trace.send[0]
    counts = np.bincount(np.minimum((since / length).astype(np.int64), count - 1), minlength=count)
    # the last window ends with the trace, and is no full one
    whole = counts if count == 1 else counts[: int(trace.span / length * (1 + ROUNDING))]
    reuse = reuse_of_trace(trace)
    figures = {
        "requests": trace.count,
        "failed_requests": trace.failed,
        "duration_s": trace.span,
        "mean_requests_per_s": trace.count / trace.span if trace.span else None,
        "peak_requests_per_s": float(whole.max()) / length if trace.span else None,
        "window_s": length,
        **length_figures("input", trace.prompt),
        **length_figures("output", trace.output),
        "cv_of_gaps": cv_of_gaps(trace.send),
        "index_of_dispersion": _dispersion(whole),
        "ideal_hit_rate_tokens": None if reuse is None else reuse.of_tokens,
        "ideal_hit_rate_requests": None if reuse is None else reuse.of_requests,
    }
    windows = tuple(
        {"start_s": i * length, "requests": int(n), "requests_per_s": float(n) / length} for i, n in enumerate(counts)
    )
    meta = {"file": path, "format": trace.kind, "notes": trace.notes()}
    return TraceSummary(meta, figures, windows, trace, () if reuse is None else tuple(lru_rows({None: reuse})))


def _of_rates(path: str, found: Rates, seconds: float | None) -> TraceSummary:
    if seconds is not None:
        raise InputError(f"--window: {path} has windows of its own; expected no --window")
    ends = np.append(found.starts[1:], found.length if found.length is not None else found.starts[-1])
    lengths = np.maximum(ends - found.starts, 0.0)
    span = float(lengths.sum())
    counts = lengths * found.rates
    cv = None
    if found.gaps is not None and counts.sum() > 0:
        cv = float(np.array([gaps.cv for gaps in found.gaps]) @ counts / counts.sum())
    figures = {
        "requests": float(counts.sum()),
        "failed_requests": 0,
        "duration_s": span,
        "mean_requests_per_s": float(counts.sum()) / span if span else float(found.rates[0]),
        "peak_requests_per_s": float(found.rates.max()),
        "window_s": float(np.median(lengths)) or None,
        **length_figures("input", None),
        **length_figures("output", None),
        "cv_of_gaps": cv,
        "index_of_dispersion": None,
        "ideal_hit_rate_tokens": None,
        "ideal_hit_rate_requests": None,
    }
    windows = tuple(
        {"start_s": float(start), "requests": float(n), "requests_per_s": float(rate)}
        for start, n, rate in zip(found.starts, counts, found.rates, strict=True)
    )
    notes = ["rates, no requests: expected requests; lengths are not in the file"]
    return TraceSummary({"file": path, "format": found.kind, "notes": notes}, figures, windows, found)


def _window(span: float, seconds: float | None) -> float:
    if seconds is not None:
        return seconds
    return next((one for one in WINDOWS if span <= AS_MANY * one), WINDOWS[-1])


def cv_of_gaps(send: Array) -> float | None:
    """Standard deviation over mean of the gaps between requests: 1 is Poisson; None: too few or all at once."""
    gaps = np.diff(send)
    if gaps.size < FEWEST - 1 or gaps.sum() == 0:
        return None
    return float(gaps.std() / gaps.mean())


def _dispersion(counts: NDArray[np.int64]) -> float | None:
    """Variance over mean of the requests per window: 1 is Poisson."""
    return float(counts.var() / counts.mean()) if min(counts.size, counts.sum()) >= FEWEST else None
