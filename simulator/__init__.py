"""mtpsim: predict what an LLM serving engine delivers, without a GPU.

Example:
    >>> from simulator import make_scenario, predict
    >>> table = predict(make_scenario(tp=2, mtp=3, acceptance_length=2.8), [16, 64])
    >>> table.column("concurrency")
    [16, 64]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.api import __all__ as __all__

if TYPE_CHECKING:
    from simulator.api import *


def __getattr__(name: str) -> Any:
    """Public names are imported on first use, so that ``import simulator`` stays cheap."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simulator import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
