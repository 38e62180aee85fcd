"""Start the compiled kernels without what they do not need."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import cast


def start_kernels() -> None:
    """Load numba's machinery while SciPy's BLAS is hidden from it.

    On the first call of any compiled function numba looks for a BLAS by importing ``scipy.linalg``, a fifth of the
    time of a short run. No kernel needs one.
    """
    from simulator import kernels

    with _hidden("scipy.linalg.cython_blas"):
        kernels.distinct_experts(512.0, 10.0, 0.0, 1.0)


@contextlib.contextmanager
def _hidden(module: str) -> Iterator[None]:
    """An import of the module fails inside, unless it is loaded already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = cast(ModuleType, None)
    try:
        yield
    finally:
        del sys.modules[module]
