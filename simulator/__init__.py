"""mtpsim: predict what an LLM serving engine delivers, without a GPU.

Example:
    >>> from simulator import make_scenario, predict
    >>> table = predict(make_scenario(tp=2, mtp=3, acceptance_length=2.8), [16, 64])
    >>> table.column("concurrency")
    [16, 64]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.api import (
        Acceptance,
        Explanation,
        InputError,
        Matched,
        ResultTable,
        Scenario,
        compare,
        explain,
        infer_acceptance,
        load_calibration,
        load_engine,
        load_hardware,
        load_model,
        make_scenario,
        predict,
        what_if_acceptance,
        what_if_depth,
        what_if_sensitivity,
        what_if_sweep,
        what_if_workload,
    )

__all__ = [
    "Acceptance",
    "Explanation",
    "InputError",
    "Matched",
    "ResultTable",
    "Scenario",
    "compare",
    "explain",
    "infer_acceptance",
    "load_calibration",
    "load_engine",
    "load_hardware",
    "load_model",
    "make_scenario",
    "predict",
    "what_if_acceptance",
    "what_if_depth",
    "what_if_sensitivity",
    "what_if_sweep",
    "what_if_workload",
]


def __getattr__(name: str) -> Any:
    """Public names are imported on first use, so that ``import simulator`` stays cheap."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simulator import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
