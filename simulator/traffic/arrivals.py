"""Open-loop traffic: when requests are sent and how long they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import number
from simulator.errors import InputError
from simulator.files.limits import within
from simulator.files.paths import user_path
from simulator.traffic.lengths import Lengths
from simulator.traffic.prefixes import Prefixes, prefixes_of, told_prefixes
from simulator.traffic.session_clock import trace_of_sessions
from simulator.traffic.session_files import holds_sessions, read_sessions, sessions_in
from simulator.traffic.trace import Gaps, Rates, Trace
from simulator.traffic.traces import opened, read_profile, traffic_in
from simulator.traffic.walk import places, walked
from simulator.units import LONGEST_DURATION, SECONDS_PER_HOUR, duration_text

Array = NDArray[np.float64]


Tokens = NDArray[np.int64]


BYTES_OF_REQUEST = 250
"""Memory that a request of a fleet takes with its results: a million took 0.25 GB."""


@dataclass(frozen=True)
class Requests:
    """Drawn requests in order of sending: times (s), input and output tokens, each of shape (n,).

    ``prefixes``: what their prompts share, of these and of as many later requests as there may be; None: unknown.
    """

    send: Array
    prompt: Tokens
    output: Tokens
    prefixes: Prefixes | None = None

    @property
    def count(self) -> int:
        """Number of requests."""
        return self.send.size


@dataclass(frozen=True)
class Traffic:
    """Where requests come from: a constant rate, a rate profile, or a trace.

    ``cv``: coefficient of variation of the gaps at constant rate; 1 is Poisson, 0 even, above 1 bursty (gamma gaps).
    ``profile``: start times (s) and the rates (requests/s) from there on, until ``duration`` (s). ``gaps``: how they
    vary in each of its windows, instead of ``cv``. ``trace``: requests as they are; everything else is then left aside.
    ``computed``: what of the source is said where no prompts are kept. ``walk``: requests whose lengths and prefixes
    are taken in their order, from a drawn one on, instead of ``lengths``.
    """

    rate: float
    duration: float
    lengths: Lengths
    cv: float = 1.0
    profile: tuple[Array, Array] | None = None
    trace: Requests | None = None
    source: str = ""
    gaps: tuple[Gaps, ...] | None = None
    computed: str = ""
    walk: Requests | None = None

    @property
    def stationary(self) -> bool:
        """Whether the rate is the same all the time, so that a steady state exists."""
        return self.profile is None and self.trace is None

    def draw(self, rng: np.random.Generator) -> Requests:
        """One realisation.

        Raises:
            InputError: no request at all, or more than the limit.
        """
        if self.trace is not None:
            return self.trace
        starts, rates = self.profile or (np.zeros(1), np.array([self.rate]))
        send = draw_arrivals(rng, starts, rates, self.duration, self.gaps or self.cv)
        if send.size == 0:
            raise InputError(
                f"--rate {self.rate:g}: no request arrives within {duration_text(self.duration)}; a longer run has some"
            )
        if self.walk is not None:
            return _walk(self.walk, send, int(rng.integers(self.walk.count)))
        prompt, output = self.lengths.draw(rng, send.size)
        return Requests(send, prompt, output)

    @property
    def moments(self) -> tuple[float, float, float, float]:
        """Mean and standard deviation of the input, then of the output, tokens."""
        if self.trace is None:
            return self.lengths.moments
        tokens = self.trace.prompt, self.trace.output
        prompt, output = ((float(one.mean()), float(one.std())) for one in tokens)
        return *prompt, *output

    def mean_lengths(self) -> tuple[float, float]:
        """Mean input and output tokens."""
        mean_in, _in_sd, mean_out, _out_sd = self.moments
        return mean_in, mean_out

    @property
    def prefixes(self) -> Prefixes | None:
        """What prompts share, where the trace says it."""
        return None if self.trace is None else self.trace.prefixes

    def describe(self, *, kept: bool = False) -> str:
        """A few words; ``kept``: prompts are."""
        if self.source:
            return f"{self.source}, {self.computed}" if self.computed and not kept else self.source
        kind = {1.0: "Poisson", 0.0: "even"}.get(self.cv, f"gamma gaps, cv {self.cv:g}")
        return f"{self.rate:g} req/s, {kind}, for {duration_text(self.duration)}"


def _walk(trace: Requests, send: Array, start: int) -> Requests:
    which, turn = places(trace.count, start, send.size)
    prefixes = None if trace.prefixes is None else walked(trace.prefixes, which, turn)
    return Requests(send, trace.prompt[which], trace.output[which], prefixes)


def draw_arrivals(
    rng: np.random.Generator, starts: Array, rates: Array, duration: float, cv: float | tuple[Gaps, ...]
) -> Array:
    """Arrival times (s) in [0, duration), ascending, at piecewise constant rates.

    A renewal process of unit rate is drawn in the time of expected requests and mapped back through the inverse of the
    cumulative rate; with gamma gaps of cv = 1 this is exactly the Poisson process of that rate.

    Args:
        rng: source of randomness.
        starts: of the windows, s, shape (n,).
        rates: requests/s in each, shape (n,).
        duration: s.
        cv: coefficient of variation of gamma gaps, or the gaps of each window; one that leaves its window keeps its
            length.

    Raises:
        InputError: more requests than fit in memory.
    """
    inside = starts < duration
    edges = np.append(starts[inside], duration)
    expected = np.concatenate(([0.0], np.cumsum(np.diff(edges) * rates[inside])))
    total = float(expected[-1])
    within("requests", total, f"requests within {duration_text(duration)}", bytes_each=BYTES_OF_REQUEST)
    if total == 0:
        return np.zeros(0)
    if not isinstance(cv, tuple):
        clock = _renewals(rng, Gaps(cv=cv), 0.0, total)
    else:
        parts, last = [], 0.0
        for end, own in zip(expected[1:], cv, strict=False):
            times = _renewals(rng, own, last, float(end))
            parts.append(times[times < end])
            # what begins in a window ends by its law, in whichever window that is
            last = float(times[-1]) if times.size else last
        clock = np.concatenate(parts)
    return _inverse(clock[clock < total], expected, edges)


def _renewals(rng: np.random.Generator, gaps: Gaps, begin: float, end: float) -> Array:
    """Renewals after ``begin`` of gaps of mean 1, up to the first at or after ``end``."""
    if begin >= end:
        return np.zeros(0)
    if gaps.cv == 0 and gaps.shape is None and begin == 0:
        return np.arange(0.5, end)
    parts, reached = [], begin
    while reached < end:
        n = int((end - reached) * 1.02 + 6 * gaps.cv * math.sqrt(end - reached) + 16)
        times = reached + np.cumsum(gaps.draw(rng, n))
        parts.append(times)
        reached = float(times[-1])
    clock = np.concatenate(parts)
    return clock[: int(np.searchsorted(clock, end)) + 1]


def _inverse(clock: Array, expected: Array, edges: Array) -> Array:
    """The times at which the cumulative rate reaches ``clock``; spells of rate 0 are skipped."""
    keep = expected[1:] > expected[:-1]
    at, begin, end = expected[:-1][keep], edges[:-1][keep], edges[1:][keep]
    slope = (end - begin) / (expected[1:][keep] - at)
    spell = np.searchsorted(at, clock, side="right") - 1
    return np.asarray(np.minimum(begin[spell] + (clock - at[spell]) * slope[spell], end[spell]))


def make_traffic(
    rate: float | None,
    lengths: Lengths,
    *,
    duration: float | None = None,
    cv: float = 1.0,
    profile: str | None = None,
    trace: str | None = None,
) -> Traffic:
    """Checked traffic from exactly one of a rate (requests/s), a profile file and a trace file.

    ``duration`` is in seconds: one hour by default, of a profile one day, of a trace its own length.

    Raises:
        InputError: none or several sources, a rate that is not above zero, a cv out of range, a faulty file.
    """
    given = [n for n, v in (("--rate", rate), ("--profile", profile), ("--trace", trace)) if v is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise InputError(f"expected one of --rate, --profile and --trace, found {found}")
    if not 0 <= number("--cv", cv, "a coefficient of variation from 0 to 20") <= 20:
        raise InputError(f"--cv: expected a coefficient of variation from 0 to 20, found {cv:g}")
    if duration is not None and not 0 < number("--duration", duration, "seconds above 0") <= LONGEST_DURATION:
        raise InputError(f"--duration: expected up to {duration_text(LONGEST_DURATION)}, found {duration:g} s")
    if profile is not None:
        return _of_rates(read_profile(profile), profile, lengths, duration, cv)
    if trace is not None:
        requests, prefixes, notes = read_requests(trace)
        if isinstance(requests, Rates):
            return _of_rates(requests, trace, lengths, duration, cv)
        return _of_trace(requests, prefixes, notes, trace, lengths, duration, cv)
    assert rate is not None
    if number("--rate", rate, "more than 0 requests per second") <= 0:
        raise InputError(f"--rate: expected more than 0 requests per second, found {rate:g}")
    return Traffic(rate, duration or SECONDS_PER_HOUR, lengths, cv)


def read_requests(path: str) -> tuple[Trace | Rates, Prefixes | None, list[str]]:
    """What a traffic file or a folder of sessions holds, what its prompts share, and notes on it.

    Sessions are taken as requests that come by themselves, each when it was recorded.

    Raises:
        InputError: no known format, or the first faulty lines by number.
    """
    head = None if user_path("trace", path).is_dir() else opened(path)
    if head is None or holds_sessions(head):
        sessions = read_sessions(path) if head is None else sessions_in(head)
        return *trace_of_sessions(sessions), list(sessions.notes)
    found = traffic_in(head)
    if isinstance(found, Rates):
        return found, None, []
    return found, prefixes_of(found), found.notes()


def _of_trace(
    found: Trace,
    prefixes: Prefixes | None,
    notes: list[str],
    path: str,
    lengths: Lengths,
    duration: float | None,
    cv: float,
) -> Traffic:
    n = found.count if duration is None else int(np.searchsorted(found.send, duration))
    if n == 0:
        raise InputError(f"--duration: no request of {path} arrives within {duration_text(duration or 0.0)}")
    requests = Requests(found.send[:n], found.prompt[:n], found.output[:n], prefixes)
    length = float(requests.send[-1])
    mean = requests.count / max(length, 1e-9)
    source = f"trace {path}: {requests.count} requests in {duration_text(max(length, 1e-9))}"
    return Traffic(
        mean,
        length,
        lengths,
        cv,
        trace=requests,
        source=", ".join([source, *notes]),
        computed=told_prefixes(found.prompt, prefixes),
    )


def _of_rates(found: Rates, path: str, lengths: Lengths, duration: float | None, cv: float) -> Traffic:
    if found.gaps is not None and cv != 1.0:
        raise InputError(f"--cv: {path} says how bursty each of its windows is; expected no --cv beside it")
    starts, rates = found.starts, found.rates
    length = duration or found.length or max(24 * SECONDS_PER_HOUR, float(starts[-1]) + 1.0)
    edges = np.append(starts[starts < length], length)
    mean = float(np.diff(edges) @ rates[starts < length]) / length
    source = f"rate profile {path}: mean {mean:.3g}, peak {rates.max():.3g} req/s, over {duration_text(length)}"
    if found.gaps is not None:
        own = [gaps.cv for gaps, rate in zip(found.gaps, rates, strict=True) if rate > 0]
        source += f", gaps of its windows with a cv of {min(own):.3g} to {max(own):.3g}"
    return Traffic(mean, length, lengths, cv, profile=(starts, rates), source=source, gaps=found.gaps)
