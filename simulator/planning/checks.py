"""What a plan refuses before it simulates anything."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.bounds import number, whole
from simulator.errors import InputError
from simulator.planning.options import Option
from simulator.prediction.simulate import check_promised_outputs, one_step, shortest_prompt
from simulator.serving.pools import check_kv_bandwidth
from simulator.traffic.arrivals import Traffic
from simulator.traffic.promises import Promise, check_promises
from simulator.units import MEGA, duration_text

MOST_RATE = MEGA
"""Requests/s."""
MOST_GPUS = 100_000
MOST_SPARES = 1000
MOST_CONFIDENCE = 99.0
"""Per cent: 300 draws tell no more than one in a hundred."""


def check_promised(promises: Sequence[Promise]) -> None:
    """Refuse a plan without promises, or with one that is made twice.

    Raises:
        InputError: names what was expected.
    """
    if not promises:
        raise InputError("expected at least one promise, such as --ttft-p99 2s or --tpot-p95 25ms")
    check_promises(promises)


def check_asked(rate: float | None, gpus: int | None) -> None:
    """Refuse a plan that does not ask one question, for the GPUs of a rate or for the rate of so many GPUs.

    Args:
        rate: requests/s in all, or None.
        gpus: GPUs in all, or None.

    Raises:
        InputError: names the option and what was expected.
    """
    if (rate is None) == (gpus is None):
        raise InputError(f"expected one of --rate and --gpus, found {'none' if rate is None else 'both'}")
    expected = "more than 0 and up to a million requests per second"
    if rate is not None and not 0 < number("--rate", rate, expected) <= MOST_RATE:
        raise InputError(f"--rate: expected {expected}, found {rate:g}")
    if gpus is not None:
        whole("--gpus", gpus, 1, MOST_GPUS)


def check_choices(
    rate: float | None, spare: int, kv_bandwidth: float | None, max_running: int | None, confidence: float
) -> None:
    """Refuse spares, pools, concurrency limits and confidences out of range.

    Args:
        rate: requests/s, or None, without which there are no pools.
        spare: replicas that stand by.
        kv_bandwidth: bytes/s per GPU between pools, or None.
        max_running: greatest concurrency limit of a replica, or None.
        confidence: per cent.

    Raises:
        InputError: names the option and what was expected.
    """
    if not 0 <= number("--confidence", confidence) <= MOST_CONFIDENCE:
        raise InputError(f"--confidence: expected 0 to {MOST_CONFIDENCE:g} per cent, found {confidence:g}")
    whole("--spare", spare, 0, MOST_SPARES)
    if kv_bandwidth is not None and rate is None:
        raise InputError("--pools: expected with --rate, found --gpus")
    if kv_bandwidth is not None:
        check_kv_bandwidth(kv_bandwidth)
    if max_running is not None:
        whole("--max-running", max_running)


def check_steps(options: Sequence[Option], traffic: Traffic, promises: Sequence[Promise]) -> None:
    """Refuse a promise that is below the time of a single step of every option, and say how far.

    Raises:
        InputError: names every such promise, the least time that it can have, and the option that has it.
    """
    check_promised_outputs(traffic, promises)
    prompt = shortest_prompt(traffic)
    faults = []
    for promise in promises:
        (least, what), option = min(
            ((one_step(o.replica, prompt, promise.metric), o) for o in options), key=lambda pair: pair[0][0]
        )
        if least > promise.limit:
            faults.append(
                f"--{promise.name}: {duration_text(promise.limit)} is impossible with every option: {what} takes at "
                f"least {duration_text(least)}, with {option.family}, {100 * (least / promise.limit - 1):.0f} % more"
            )
    if faults:
        raise InputError("\n".join(faults))
