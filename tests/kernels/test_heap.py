"""The heap against sorting."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.kernels.heap import pop, push


@pytest.mark.parametrize("seed", range(5))
def test_pops_in_order_of_key_then_id(seed: int) -> None:
    rng = np.random.default_rng(seed)
    entries = [(float(key), int(i)) for key, i in zip(rng.integers(0, 10, 50), rng.permutation(50), strict=True)]
    keys, ids = np.empty(50), np.empty(50, np.int64)
    for size, (key, i) in enumerate(entries):
        push(keys, ids, size, key, i)
        assert keys[0] == min(entries[: size + 1])[0]
    assert [pop(keys, ids, size) for size in range(50, 0, -1)] == [i for _, i in sorted(entries)]
