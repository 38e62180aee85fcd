"""Start the compiled kernels without what they do not need."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import cast


def start_kernels() -> None:
    """Load numba and its machinery while SciPy is hidden from it.

    When it is imported numba looks for SciPy, and on the first call of any compiled function for SciPy's BLAS: a tenth
    of the time of a short run. No kernel needs either. Called before anything else of the simulator is imported, it
    saves both; later, only the second.
    """
    with _hidden("scipy", "scipy.linalg.cython_blas"):
        from simulator import kernels

        kernels.distinct_experts(512.0, 10.0, 0.0, 1.0)


@contextlib.contextmanager
def _hidden(*modules: str) -> Iterator[None]:
    """An import of these modules fails inside, unless they are loaded already."""
    absent = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(absent, cast(ModuleType, None)))
    try:
        yield
    finally:
        for module in absent:
            del sys.modules[module]
