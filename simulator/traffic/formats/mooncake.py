"""Traces of Mooncake (kvcache-ai/Mooncake, FAST 25): JSONL with times in milliseconds and hashes of prompt blocks.

``hash_ids`` are chained: equal ids mean that the whole prompt up to the end of that block of 512 tokens is equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from simulator.errors import InputError, brief
from simulator.traffic.formats.cells import FAULTS_SHOWN, Row, jsonl_rows, time_of
from simulator.traffic.formats.head import Head
from simulator.traffic.formats.requests import has_failed, requests_of
from simulator.traffic.trace import Trace
from simulator.units import MILLI

NAME = "a Mooncake trace"
FIELDS = ("timestamp", "input_length", "output_length")
HASHES = "hash_ids"
BLOCK = 512


def recognises(head: Head) -> bool:
    """By a length of a request; what the line lacks is said when it is read."""
    return bool(head.first_object.keys() & {"input_length", "output_length"})


def read(text: str, path: str) -> Trace:
    """Times in seconds, with the blocks where every request that has an output has them.

    Raises:
        InputError: the first faulty lines by number.
    """
    blocks: list[tuple[int, ...] | None] = []
    faults: list[str] = []

    def rows() -> Iterator[Row]:
        for line, (send, prompt, output, hashes) in jsonl_rows(text, path, FIELDS, (HASHES,)):
            if hashes is not None and not _are_hashes(hashes):
                faults.append(f"{path}: line {line}: {HASHES}: expected a list of whole numbers, found {brief(hashes)}")
            elif not has_failed(output):
                blocks.append(None if hashes is None else tuple(hashes))
            if len(faults) >= FAULTS_SHOWN:
                break
            yield line, (send, prompt, output)

    trace = requests_of(NAME, path, rows(), FIELDS, time_of, may_fail=True, scale=MILLI)
    if faults:
        raise InputError("\n".join(faults))
    known = tuple(one for one in blocks if one is not None)
    return replace(trace, blocks=known if len(known) == trace.count else None, block_tokens=BLOCK)


def _are_hashes(found: Any) -> bool:
    return isinstance(found, list) and all(type(one) is int for one in found)
