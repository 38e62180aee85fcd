"""Which prompts the replicas of an open-loop run keep: those of a trace that says what prompts share."""

from __future__ import annotations

from dataclasses import replace

from simulator.errors import InputError, brief
from simulator.files.limits import within
from simulator.serving.fleet import PREFIX_ROUTERS
from simulator.serving.prefix_cache import Keeping, keeping
from simulator.serving.scenario import Scenario
from simulator.traffic.prefixes import Prefixes
from simulator.units import GIGA

BYTES_OF_BLOCK = 24
"""Memory that a block takes in each replica while a run is simulated."""


def kept_prompts(
    scenario: Scenario, prefixes: Prefixes | None, asked: str | None, router: str, *, pools: bool = False
) -> Keeping | None:
    """Room for prompts in each replica; None: no prompts are kept.

    Args:
        scenario: what one replica is.
        prefixes: what prompts share; None: unknown.
        asked: ``on``, ``off``, or None for on where prompts share something and the engine's prefix cache is known.
        router: a prefix router needs caches.
        pools: a pool prefills for the replicas.

    Raises:
        InputError: ``on`` where there is nothing to keep, or a prefix router without caches.
    """
    if asked not in (None, "on", "off"):
        raise InputError(f"--prefix-cache: expected on or off, found {brief(asked)}")
    stated = scenario.deployment.hit_rate > 0.0
    faults = [
        (prefixes is None, "--prefix-cache on: expected a --trace that says what prompts share, found none"),
        (stated, "--prefix-cache on: finds what --hit-rate states; expected one of them"),
        (pools, "--prefix-cache on: expected no pool that prefills, whose caches are not simulated"),
    ]
    for found, text in faults:
        if found and asked == "on":
            raise InputError(text)
    known = scenario.deployment.engine.prefix_cache is not None or asked == "on"
    if asked != "off" and known and not any(found for found, _ in faults):
        return keeping(scenario.deployment, scenario.speculation.tokens, True)
    if router in PREFIX_ROUTERS:
        raise InputError(
            f"--router {router}: asks what replicas keep; expected a --trace that says what prompts share, with "
            "--prefix-cache on"
        )
    return None


def fitting(scenario: Scenario, keep: Keeping, cap: int, block_tokens: int, longest: int) -> int:
    """Requests that run at once in a replica that keeps prompts, no more than ``cap``.

    Raises:
        InputError: the longest request, so many tokens, does not fit.
    """
    room = keep.longest(block_tokens)
    # its last block may be one that it fills only in part
    if -(-longest // block_tokens) * block_tokens > room:
        d = scenario.deployment
        raise InputError(
            f"the longest request, {longest} tokens, does not fit on {d.gpus} x {d.hardware.name} with {d.checkpoint} "
            f"and a prefix cache: there is room for {room} tokens"
        )
    return max(1, keep.slots(cap))


def within_memory(prefixes: Prefixes, replicas: int) -> None:
    """Refuse more blocks than this machine has memory for.

    Raises:
        InputError: with the limit.
    """
    within("memory-gb", replicas * prefixes.blocks * BYTES_OF_BLOCK / GIGA, "the blocks of the trace in all replicas")


def with_hit_rate(scenario: Scenario, rate: float) -> Scenario:
    """The same scenario as one of which so much of each prompt is found."""
    return replace(scenario, deployment=scenario.deployment.model_copy(update={"hit_rate": rate}))
