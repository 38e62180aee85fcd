"""A binary min-heap in two arrays, ordered by (key, id): ties go to the lower id."""

from __future__ import annotations

from simulator.kernels.compiled import compiled
from simulator.kernels.records import Array, Indices


@compiled
def push(keys: Array, ids: Indices, size: int, key: float, value: int) -> None:
    """Insert into a heap of ``size`` entries."""
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        if keys[parent] < key or (keys[parent] == key and ids[parent] < value):
            break
        keys[i] = keys[parent]
        ids[i] = ids[parent]
        i = parent
    keys[i] = key
    ids[i] = value


@compiled
def pop(keys: Array, ids: Indices, size: int) -> int:
    """Remove the least entry of a heap of ``size`` entries and return its id."""
    top: int = ids[0]
    last = size - 1
    key, value = keys[last], ids[last]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= last:
            break
        right = child + 1
        if right < last and (keys[right] < keys[child] or (keys[right] == keys[child] and ids[right] < ids[child])):
            child = right
        if keys[child] > key or (keys[child] == key and ids[child] > value):
            break
        keys[i] = keys[child]
        ids[i] = ids[child]
        i = child
    keys[i] = key
    ids[i] = value
    return top
