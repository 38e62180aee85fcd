"""Where the working set of the live sessions leaves the prefix cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from simulator.traffic.sessions import Sessions
from simulator.traffic.working_set import working_set
from simulator.units import KILO, MEGA

Rows = Sequence[Mapping[str, Any]]
FALLEN = 0.9
"""Part of the ideal hit rate below which the cache has lost its sessions."""


@dataclass(frozen=True)
class Cliff:
    """The first concurrency at which the hit rate is clearly below the ideal one; None: there is none.

    Attributes:
        concurrency: live sessions there.
        kv_tokens_capacity: tokens that the GPUs hold.
        state_slots: recurrent states that they hold; None: no pool of their own.
        working_set_tokens: mean tokens that a session needs the cache to hold; 0: the file does not say.
        sessions_held: whole sessions of that size that the pool holds; None: as above.
        hit_rate_before: at the concurrency before; None: there is none before.
        hit_rate_gpu: at the cliff, or where there is none at the most sessions.
        hit_rate_ideal: likewise.
        hit_rate_with_host: found at the cliff with a host tier, on the GPUs or the hosts; None: there is no such arm.
        sentence: all that in words.
    """

    concurrency: int | None
    kv_tokens_capacity: int
    state_slots: int | None
    working_set_tokens: float
    sessions_held: int | None
    hit_rate_before: float | None
    hit_rate_gpu: float | None
    hit_rate_ideal: float | None
    hit_rate_with_host: float | None
    sentence: str

    def as_row(self) -> dict[str, Any]:
        """The figures."""
        return {name: value for name, value in asdict(self).items() if name != "sentence"}


def mean_working_set(sessions: Sessions) -> float:
    """Tokens that a session needs a cache to hold, its subagents included: the mean over all requests; 0: unknown."""
    found = [working_set(one, sessions.block_tokens)[0] for one in sessions.items if one.run_first.size]
    return float(np.concatenate(found).mean()) if found else 0.0


def cliff_of(rows: Rows, with_host: Rows, working_set_tokens: float, host_cache_ratio: float) -> Cliff:
    """The cliff of a replica.

    Args:
        rows: of :func:`simulator.replay` by rising concurrency.
        with_host: the same with a host tier; empty: none.
        working_set_tokens: that a session needs the cache to hold, in the mean.
        host_cache_ratio: of that tier, for the sentence.

    Example:
        >>> rows = [{"concurrency": c, "hit_rate_gpu": h, "hit_rate_ideal": 0.96, "kv_tokens_capacity": 1_100_000,
        ...          "state_slots": None} for c, h in ((8, 0.95), (16, 0.23))]
        >>> print(cliff_of(rows, [], 120_000.0, 1.5).sentence)
        at 16 sessions the pool of 1.1 M tokens holds 9; the hit rate falls from 95 to 23 %
    """
    known = [row for row in rows if row.get("hit_rate_ideal")]
    first = rows[0]
    capacity, slots = int(first["kv_tokens_capacity"]), first["state_slots"]
    held = int(capacity // working_set_tokens) if working_set_tokens else None
    fallen = next((row for row in known if row["hit_rate_gpu"] < FALLEN * row["hit_rate_ideal"]), None)
    if fallen is None:
        last = known[-1] if known else None
        found = None if last is None else (last["hit_rate_gpu"], last["hit_rate_ideal"])
        text = f"no cliff up to {rows[-1]['concurrency']} sessions"
        text += "" if found is None else f": {_percent(found[0])} of the input are found, {_percent(found[1])} ideally"
        gpu, ideal = found or (None, None)
        return Cliff(None, capacity, slots, working_set_tokens, held, None, gpu, ideal, None, text)
    place = known.index(fallen)
    before = known[place - 1]["hit_rate_gpu"] if place else None
    count = fallen["concurrency"]
    host = next((row for row in with_host if row["concurrency"] == count), None)
    restored = None if host is None else host["hit_rate_gpu"] + (host["hit_rate_host"] or 0.0)
    parts = [f"at {count} sessions {_pool(capacity, slots, held, count)}"]
    now = fallen["hit_rate_gpu"]
    if before is None:
        parts.append(f"the hit rate is {_percent(now)}, {_percent(fallen['hit_rate_ideal'])} ideally")
    else:
        parts.append(f"the hit rate falls from {100 * before:.0f} to {_percent(now)}")
    if restored is not None:
        verb = "restores" if restored > now else "gives"
        parts.append(f"a host tier of ratio {host_cache_ratio:g} {verb} {_percent(restored)}")
    return Cliff(
        count,
        capacity,
        slots,
        working_set_tokens,
        held,
        before,
        now,
        fallen["hit_rate_ideal"],
        restored,
        "; ".join(parts),
    )


def _pool(capacity: int, slots: int | None, held: int | None, count: int) -> str:
    """What the pool holds; where its tokens would do, what else of it is short."""
    size = f"{capacity / MEGA:.1f} M" if capacity >= MEGA else f"{capacity / KILO:.0f} thousand"
    pool = f"the pool of {size} tokens"
    if held is None:
        return f"{pool} no longer holds the prompts"
    if held < count:
        return f"{pool} holds {held}"
    states = "" if slots is None else f", its {slots:,} states do not"
    return f"{pool} would hold {held} in the mean{states or ', but not with what runs and what is not needed again'}"


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"
