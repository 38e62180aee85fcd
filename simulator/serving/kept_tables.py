"""Operator tables kept while one parameter moves after the other: most tables do not ask for most of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from simulator.facts.deployment import Deployment
from simulator.serving.recorder import Recorder
from simulator.serving.replica import Tables, build_tables

KEPT = 16
"""Tables per deployment: those of the point that a derivative is taken at are among the last so many."""


class KeptTables:
    """Tables by deployment and by the values of all parameters that its tables have ever asked for."""

    def __init__(self, most: int = KEPT) -> None:
        """None yet; later no more than so many per deployment."""
        self._most = most
        self._asked: dict[Hashable, tuple[str, ...]] = {}
        self._found: dict[Hashable, dict[tuple[float, ...], Tables]] = {}

    def of(self, key: Hashable, deployment: Deployment, k: int, parameters: Mapping[str, float]) -> Tables:
        """The tables of a deployment that drafts ``k`` tokens; ``key`` stands for both."""
        asked, found = self._asked.get(key, ()), self._found.setdefault(key, {})
        values = tuple(parameters[name] for name in asked)
        if found and (kept := found.pop(values, None)) is not None:
            found[values] = kept
            return kept
        recorder = Recorder(parameters)
        tables = build_tables(deployment, k, recorder)
        if not recorder.seen <= set(asked):
            asked = self._asked[key] = tuple(sorted(recorder.seen.union(asked)))
            values = tuple(parameters[name] for name in asked)
            found.clear()
        if len(found) == self._most:
            del found[next(iter(found))]
        found[values] = tables
        return tables
