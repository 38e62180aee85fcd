"""Expectations of rows -> reasons, with the likely causes and what an MTP/Off pair says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from simulator.validation.alternatives import Misread
from simulator.validation.causes import Metrics, SweepFacts, fast_causes, leaves, per_token, slow_causes
from simulator.validation.curves import Known
from simulator.validation.expectation import Expectations, Expected
from simulator.validation.pairs import Pair
from simulator.validation.reason import Place, Reason, number, quantity


def check_expectations(
    rows: Sequence[Known],
    found: Expectations,
    pairs: Sequence[Pair],
    places: Mapping[int, Place],
    broken: frozenset[int],
    perhaps: Mapping[int, Misread],
) -> Iterator[Reason]:
    """Reasons for rows slower or faster than expected by more than their interval.

    Args:
        rows: rows that the profiles know.
        found: what is expected of them.
        pairs: implied acceptance lengths.
        places: index of a row -> file and line.
        broken: indices of rows that arithmetic or physics forbids; they are not judged by the model too.
        perhaps: index of a row -> what else it fits.
    """
    sweeps: defaultdict[tuple[object, ...], list[tuple[int, Metrics]]] = defaultdict(list)
    for known in rows:
        if known.index in found.rows and known.index not in broken:
            sweeps[known.sweep].append((known.row.concurrency, found.rows[known.index]))
    facts = {key: SweepFacts(sweep) for key, sweep in sweeps.items()}
    implied = {place: pair for pair in pairs for place in pair.places}
    for known in rows:
        metrics = found.rows.get(known.index)
        if metrics is None or known.index in broken:
            continue
        place = places[known.index]
        for slower in (True, False):
            out = leaves(metrics, slower)
            if not out:
                continue
            causes = slow_causes(metrics, facts[known.sweep]) if slower else fast_causes(metrics)
            if known.configuration.spec_tokens and any("ttft" not in e.metric for e in out):
                causes = _acceptance(known, found, implied.get(place), metrics, slower) + causes
            if not slower and known.index in perhaps:
                causes += [reading.words([known]) for reading in perhaps[known.index].readings]
            if known.index in found.crowded and slower:
                causes.append(f"by the memory account only {found.crowded[known.index]} requests fit at once")
            yield _reason(known, out, causes, slower, place)


def _reason(known: Known, out: Sequence[Expected], causes: Sequence[str], slower: bool, place: Place) -> Reason:
    numbers = "; ".join(
        f"{quantity(e.metric, e.measured)}, expected {number(e.predicted)} ({number(e.low)} to {number(e.high)})"
        for e in out
    )
    direction = "slower" if slower else "faster"
    message = f"{numbers}. Likely: {' / '.join(causes)}"
    data = {e.metric: e.as_dict() for e in out} | {"causes": list(causes), "concurrency": known.row.concurrency}
    return Reason("suspicious", f"{direction}_than_expected", message, (place,), data)


def _acceptance(known: Known, found: Expectations, pair: Pair | None, metrics: Metrics, slower: bool) -> list[str]:
    """The acceptance as a cause: only where TPOT or throughput is off in an MTP row and no Off row is off with it."""
    assumed = found.scenarios[known.curve].speculation.acceptance_length
    word = "lower" if slower else "higher"
    base = f"acceptance {word} than the {assumed:.2f} tokens per round assumed"
    if pair is None:
        return [base] if per_token(metrics) or "total_tok_s_gpu" in metrics else []
    if pair.length is None:
        return [f"not acceptance alone: MTP / Off = {pair.ratio:.3f} is {pair.absent}"]
    agrees = (pair.length < assumed) if slower else (pair.length > assumed)
    told = f"the MTP/Off pair implies {pair.length:.2f} ({pair.low:.2f} to {pair.high:.2f})"
    return [f"{base}: {told}"] if agrees and not (pair.low or 0.0) <= assumed <= (pair.high or 0.0) else []
