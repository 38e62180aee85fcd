"""One module per tab: what it answers to a state. The page's own script has one module of the same name for each."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from simulator.page.state import State
from simulator.page.work import PLAIN, Work


@dataclass(frozen=True)
class Tab:
    """One tab.

    Attributes:
        name: in states and addresses; ``break-even`` is the module ``break_even``.
        title: on the page.
        live: needs a server; a file says so instead.
        streams: takes so long that its progress is told.
    """

    name: str
    title: str
    live: bool = False
    streams: bool = False

    def answer(self, state: State, work: Work = PLAIN) -> dict[str, Any]:
        """What the tab shows of a state, as plain JSON.

        Raises:
            InputError: what the state asks for cannot be.
        """
        module = importlib.import_module(f"{__name__}.{self.name.replace('-', '_')}")
        payload: dict[str, Any] = module.answer(state, work)
        return payload


TABS = {
    tab.name: tab
    for tab in (
        Tab("curve", "Curve"),
        Tab("break-even", "Break-even", streams=True),
        Tab("why", "Why"),
        Tab("plan", "Plan", live=True, streams=True),
        Tab("agentic", "Agentic", streams=True),
        Tab("check", "Check", streams=True),
    )
}
