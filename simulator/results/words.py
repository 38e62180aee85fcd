"""What a result says about its inputs, in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST_REASONS = 6
METHODS = {"des": "discrete events", "closed-form": "closed form"}


def replica_name(tp: int, spec_tokens: int | None, ep: int = 1) -> str:
    """What sets a replica apart: its GPUs, expert-parallel ranks and draft depth; None where no depth is to be named.

    Example:
        >>> replica_name(4, 3), replica_name(2, 0), replica_name(8, 1, ep=8), replica_name(4, None)
        ('TP4 MTP 3', 'TP2 Off', 'TP8 EP8 MTP 1', 'TP4')
    """
    name = f"TP{tp}{f' EP{ep}' if ep > 1 else ''}"
    if spec_tokens is None:
        return name
    return f"{name} {f'MTP {spec_tokens}' if spec_tokens else 'Off'}"


def title(meta: Mapping[str, Any]) -> str:
    """What runs."""
    tp = " and ".join(f"{n}" for n in values(meta, "tp"))
    extra = "".join(f", {key.upper()} {meta[key]}" for key in ("ep", "dp", "pp") if meta.get(key, 1) != 1)
    return (
        f"{meta['model']} {meta['checkpoint']} on {meta['hardware']}, {meta['engine']}, TP {tp}{extra}, "
        f"{meta['isl']}/{meta['osl']} tokens in/out"
    )


def header(meta: Mapping[str, Any]) -> str:
    """What runs, and how lengths spread."""
    ratio = meta["range_ratio"]
    return f"{title(meta)}, {'fixed' if ratio == 1 else f'uniform from {ratio:g} of that'}"


def recipes(meta: Mapping[str, Any]) -> str:
    """How the engine was launched, and by whose word.

    Example:
        >>> recipes({"recipe": "mine", "recipe_by_rule": True, "recipe_set": {"chunk_tokens": 8192}})
        'recipe mine (by rule) with chunk_tokens 8192'
    """
    found: dict[str, None] = {}
    for own in meta.get("scenarios", [{}]):
        one = {**meta, **own}
        name = one["recipe"] or "none: the engine's own settings"
        changed = ", ".join(f"{key} {_setting(value)}" for key, value in one["recipe_set"].items())
        found[f"{name}{' (by rule)' if one['recipe_by_rule'] else ''}{f' with {changed}' if changed else ''}"] = None
    return f"recipe {' and '.join(found)}"


def _setting(value: Any) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def limits(meta: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where more clients ask than the recipe lets run at once."""
    found: dict[str, None] = {}
    for own in meta.get("scenarios", [{}]):
        most = {**meta, **own}["max_running"]
        if most is not None and any(row["concurrency"] > most for row in rows):
            found[f"at most {most} requests run at once (max_running); others wait"] = None
    return list(found)


def pool(meta: Mapping[str, Any]) -> str:
    """The pool that prefills, in words."""
    return (
        f"behind {meta['prefill_replicas']} of TP{meta['prefill_tp']} that prefill (the caches take "
        f"{meta['kv_transfer_ms']:.3g} ms at {meta['kv_bandwidth_gb_s_per_gpu']:g} GB/s per GPU)"
    )


def scope(rows: Sequence[Mapping[str, Any]]) -> str:
    """Where the figures of some rows stand to what was measured, each reason once, the word of most rows first.

    Example:
        >>> inside = {"scope": "inside", "scope_reasons": []}
        >>> scope([inside, inside | {"scope": "extrapolated", "scope_reasons": ["TP 8 beyond 4"]}])
        'scope: inside; extrapolated (TP 8 beyond 4)'
    """
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        found.setdefault(row["scope"], {}).update(dict.fromkeys(row["scope_reasons"]))
    parts = [word + (f" ({_some(list(reasons))})" if reasons else "") for word, reasons in found.items()]
    return f"scope: {'; '.join(parts)}"


def _some(reasons: Sequence[str]) -> str:
    more = [f"and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
    return "; ".join([*reasons[:MOST_REASONS], *more])


def values(meta: Mapping[str, Any], key: str) -> list[Any]:
    """The values of one input over all scenarios, each once."""
    found = [scenario[key] for scenario in meta.get("scenarios", [meta]) if key in scenario] or [meta[key]]
    flat = [v for value in found for v in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(flat))


DRAFTS = {"mtp": "MTP", "eagle3": "EAGLE-3", "block": "block draft", "model": "draft model", "ngram": "n-gram"}
"""Kinds of drafts."""


def acceptances(meta: Mapping[str, Any]) -> list[str]:
    """Per draft depth, the tokens per round and where they come from."""
    lines: dict[str, None] = {}
    for own in meta.get("scenarios", [{}]):
        one = {**meta, **own}
        if one["spec_tokens"]:
            drafts = f"{DRAFTS[one.get('draft_kind', 'mtp')]} {one['spec_tokens']}"
            length = f"{one['acceptance_length']:.2f} tokens per round"
            lines[f"{drafts}: {length} ({one['acceptance_source']})"] = None
    return list(lines)


def hit_rates(meta: Mapping[str, Any]) -> list[str]:
    """What was stated of prefix caches; nothing where that is nothing."""
    rates = dict.fromkeys(one["hit_rate"] for one in (meta, *meta.get("scenarios", ())) if "hit_rate" in one)
    return [f"{100 * rate:g} % of each prompt found in a prefix cache" for rate in rates]


def calibration(meta: Mapping[str, Any]) -> str:
    """Which calibration was used, and whether it was forced."""
    if meta["calibration"] == "kernel-priors":
        text = "no calibration: kernel priors"
    else:
        text = f"calibration {meta['calibration']}"
    if meta["forced_outside_calibration"]:
        text += f", FORCED outside of what it was fitted to: {'; '.join(meta['forced_outside_calibration'])}"
    return text


def method(meta: Mapping[str, Any]) -> str:
    """How it was computed."""
    name = METHODS[meta["method"]]
    return f"{name}, seed {meta['seed']}" if meta["method"] == "des" else name


def cost(meta: Mapping[str, Any]) -> str:
    """What a GPU costs."""
    price = meta["usd_per_gpu_hour"]
    if price is None:
        return f"no cost: {meta['hardware']} has no price"
    return f"cost: {meta['cost_basis']}, {price:g} USD per GPU and hour"
