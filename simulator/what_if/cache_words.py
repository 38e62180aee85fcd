"""What rows of memory for prompts say: what more of it on the GPUs and on the hosts is worth, and what buys most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulator.results.words import replica_name

Row = Mapping[str, Any]
THROUGHPUT = "total_tok_s_gpu"
PLACE = ("hardware", "engine", "precision", "tp", "spec_tokens", "kv_dtype", "state_dtype", "states")
WORDS = {
    "hardware": "{}",
    "engine": "{}",
    "precision": "weights {}",
    "kv_dtype": "KV {}",
    "state_dtype": "states in {}",
    "states": "states at {}",
}
"""How what sets replicas apart is told."""
WORTH = 0.01
"""Gain in throughput below which memory is not worth a sentence."""
NUMBERS = {2.0: "twice", 3.0: "three times", 4.0: "four times", 0.5: "half"}


def name_of(row: Row, among: Sequence[Row] = ()) -> str:
    """A replica in words: what sets it apart from others, else its size and drafts.

    Example:
        >>> one = {"tp": 4, "spec_tokens": 0, "kv_dtype": "fp8"}
        >>> name_of(one), name_of(one, [one, one | {"kv_dtype": "bf16"}])
        ('TP4 Off', 'KV fp8')
    """
    apart = {name for name in PLACE if len({one.get(name) for one in among}) > 1}
    parts = [replica_name(row["tp"], row["spec_tokens"])] if not apart or apart & {"tp", "spec_tokens"} else []
    return ", ".join([*parts, *(text.format(row[name]) for name, text in WORDS.items() if name in apart)])


def hit_rate(row: Row) -> float:
    """Part of all input tokens that were found on the GPUs or the hosts."""
    return float((row["hit_rate_gpu"] or 0.0) + (row["hit_rate_host"] or 0.0))


def sentences(rows: Sequence[Row]) -> list[str]:
    """Of each replica and concurrency what memory is worth, and over all what delivers most.

    The base is the pool that the replica has, or of those asked for the nearest above, else below it, and the smallest
    host tier asked for.
    """
    told = [row for row in rows if row[THROUGHPUT] is not None]
    out = []
    for place in dict.fromkeys(_key(row) for row in told):
        own = [row for row in told if _key(row) == place]
        where = f" ({name_of(own[0], told)})" if len(own) < len(told) else ""
        idle: dict[str, list[int]] = {}
        for count in dict.fromkeys(row["concurrency"] for row in own):
            text, worth = _worth([row for row in own if row["concurrency"] == count])
            if worth:
                out.append(f"at {count} sessions{where} {text}")
            elif text:
                idle.setdefault(text, []).append(count)
        for text, counts in idle.items():
            out.append(f"at {_and(counts)} sessions{where} {text}")
    if len({_key(row) for row in told}) > 1:
        for count in dict.fromkeys(row["concurrency"] for row in told):
            out += _best([row for row in told if row["concurrency"] == count], told)
    return out


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in PLACE)


def _and(counts: Sequence[int]) -> str:
    *before, last = (str(one) for one in counts)
    return f"{', '.join(before)} and {last}" if before else last


def _worth(rows: Sequence[Row]) -> tuple[str, bool]:
    """What memory is worth to one replica at one concurrency, and whether it is worth anything; empty: not asked."""
    above = [row["pool_scale"] for row in rows if row["pool_scale"] >= 1.0]
    scale = min(above) if above else max(row["pool_scale"] for row in rows)
    ratio = min(row["host_cache_ratio"] for row in rows)
    base = next((row for row in rows if (row["pool_scale"], row["host_cache_ratio"]) == (scale, ratio)), None)
    pools = [row for row in rows if row["host_cache_ratio"] == ratio and row["pool_scale"] > scale]
    hosts = [row for row in rows if row["pool_scale"] == scale and row["host_cache_ratio"] > ratio]
    if base is None or not (pools or hosts):
        return "", False
    pool, host = _most(base, pools), _most(base, hosts)
    bought = [one for one in (pool, host) if one is not None]
    less = f"less than {100 * WORTH:.0f} % to the throughput"
    if not bought:
        kinds = " nor ".join([*(["a larger pool"] if pools else []), *(["a host tier"] if hosts else [])])
        more = "adds more" if pools and hosts else "adds no more"
        return f"{'neither ' if pools and hosts else ''}{kinds} {more} than {100 * WORTH:.0f} %", False
    parts = [_bought(base, one, first=i == 0) for i, one in enumerate(bought)]
    if pool is not None and host is not None:
        parts.append(_verdict(base, pool, host))
    elif pools and hosts:
        parts.append(f"{'a host tier' if host is None else 'a larger pool'} adds {less}")
    return "; ".join(parts), True


def _gain(base: Row, row: Row) -> float:
    return float(row[THROUGHPUT] / base[THROUGHPUT] - 1.0)


def _most(base: Row, rows: Iterable[Row]) -> Row | None:
    """The row of most throughput, of near equals the one with least memory; None: none is worth it."""
    better = [row for row in rows if _gain(base, row) >= WORTH]
    if not better:
        return None
    most = max(_gain(base, row) for row in better)
    near = [row for row in better if _gain(base, row) >= most - WORTH]
    return min(near, key=lambda row: (row["pool_scale"], row["host_cache_ratio"]))


def _memory(base: Row, row: Row) -> str:
    """What was bought, in words, with GB for each GPU."""
    if row["pool_scale"] > base["pool_scale"]:
        times = row["pool_scale"] / base["pool_scale"]
        more = row["pool_gb"] - base["pool_gb"]
        return f"{NUMBERS.get(times, f'{times:g} times')} the pool (+{more:.0f} GB of HBM per GPU)"
    more = row["host_gb"] - base["host_gb"]
    return f"a host tier of ratio {row['host_cache_ratio']:g} (+{more:.0f} GB of host memory per GPU)"


def _bought(base: Row, row: Row, first: bool) -> str:
    gain, found, before = _gain(base, row), 100 * hit_rate(row), 100 * hit_rate(base)
    what, more = _memory(base, row), f"by {100 * gain:.0f} %" if gain < 1.0 else f"{1.0 + gain:.2g}-fold"
    if first:
        return f"{what} raises the hit rate from {before:.0f} to {found:.0f} % and the throughput {more}"
    return f"{what} to {found:.0f} % and {more}"


def _verdict(base: Row, pool: Row, host: Row) -> str:
    """Which of both is worth more."""
    one, other = _gain(base, pool), _gain(base, host)
    ratio = (1.0 + one) / (1.0 + other)
    if abs(ratio - 1.0) < WORTH:
        return "both are worth the same"
    more, kind = (ratio, "HBM") if ratio > 1.0 else (1.0 / ratio, "host memory")
    return f"{kind} buys {100 * (more - 1.0):.0f} % more"


def _best(rows: Sequence[Row], among: Sequence[Row]) -> list[str]:
    """The replica that delivers most with the memory that it has."""
    scale = min((row["pool_scale"] for row in rows), key=lambda one: abs(one - 1.0))
    ratio = min(row["host_cache_ratio"] for row in rows)
    own = [row for row in rows if (row["pool_scale"], row["host_cache_ratio"]) == (scale, ratio)]
    if len(own) < 2:
        return []
    best = max(own, key=lambda row: float(row[THROUGHPUT]))
    return [
        f"at {best['concurrency']} sessions {name_of(best, among)} delivers most without buying any: "
        f"{best[THROUGHPUT]:,.0f} tok/s/GPU, {100 * hit_rate(best):.0f} % found"
    ]
