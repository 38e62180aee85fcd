"""What a file holds of all that a server would compute: answers at the places of a grid.

The page looks an answer up by the part of the state that stands in its ``where``; ``{"any": [...]}`` there means that
each of the values will do. Series are held once, by their id, and answers name them. An answer holds for the
interactivities of the file alone, and the points of a series are those of all its runs: the page shows those of the
runs that are switched on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator import api
from simulator.errors import InputError
from simulator.page.choices import PRESETS, names
from simulator.page.kept import Kept
from simulator.page.metrics import NAMES
from simulator.page.series import Series, computed
from simulator.page.sessions import Played, replayed
from simulator.page.state import State
from simulator.page.tabs import TABS
from simulator.page.work import Work
from simulator.results.table import ResultTable
from simulator.what_if.backends import in_processes

DIGITS = 6
"""Significant digits of the numbers in a file."""
STEP = 0.1
"""Of the acceptance length on the slider, tokens per round."""
WHY_CLIENTS = (4, 16, 32, 64, 128)
KINDS = ("curve", "break-even", "why", "agentic")
"""Tabs whose answers a file holds."""
BASES = ("hyperscaler", "neocloud", "rental")
CACHES = (("on", 0.0), ("on", 1.5), ("on", 3.0), ("off", 0.0))
"""Prefix cache, and host memory over that of the GPUs, of replayed sessions."""
PARTS = (0.4, 0.6, 0.8)
"""Acceptance lengths of replayed sessions, as parts of the way from 1 to the greatest, beside the fitted one."""
LEAN = ("concurrency", "tp", "spec", "spec_tokens", "acceptance_length", "hbm_used_gb", "bound_by", "scope", "method")
"""Columns that a point at a step of the slider has beside the metrics."""


@dataclass(frozen=True)
class Ask:
    """What a file is asked to hold.

    Attributes:
        start: the state that the page begins with: model, accelerators, depths, runs and interactivities of the file.
        engines: none: those that have a calibration for the accelerator and model, or the state's own.
        precisions: none: the best of the accelerator, and FP8.
        lengths: input and output lengths, tokens.
        depths: draft depths; none: those of the state.
        steps: with the steps of the acceptance slider.
        tabs: with Break-even, Why and Agentic, which is held for the first engine and precision of an accelerator.
    """

    start: State
    engines: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    lengths: tuple[tuple[int, int], ...] = PRESETS
    depths: tuple[int, ...] = ()
    steps: bool = True
    tabs: bool = True


@dataclass(frozen=True)
class Cell:
    """One accelerator, engine, precision and pair of lengths: the state, and what else of it means the same.

    ``precision``: names of it; the first is what the state has. ``sessions``: with those of agents.
    """

    state: State
    precision: tuple[str, ...]
    depths: tuple[int, ...]
    steps: bool
    tabs: bool
    sessions: bool


@dataclass
class Held:
    """Answers by tab, and series by id; ``left_out``: what the profiles cannot do."""

    answers: dict[str, list[dict[str, Any]]]
    series: dict[str, dict[str, Any]]
    left_out: list[str]


def cells(ask: Ask) -> list[Cell]:
    """The cells of a grid; what the profiles cannot do shows when a cell is computed."""
    start, found = ask.start, []
    for hardware in start.hardware:
        best = _precision(start, hardware)
        engines = ask.engines or _engines(start, hardware)
        precisions = ask.precisions or tuple(dict.fromkeys((best, "fp8")))
        for engine, precision, (isl, osl) in itertools.product(engines, precisions, ask.lengths):
            changes = {"hardware": (hardware,), "engine": engine, "isl": isl, "osl": osl}
            changes["precision"] = "" if precision == best else precision
            aliases = ("", precision) if precision == best else (precision,)
            depths = tuple(sorted({*ask.depths} or {*start.mtp}))
            first = (engine, precision, (isl, osl)) == (engines[0], precisions[0], ask.lengths[0])
            state = start.model_copy(update=changes)
            found.append(Cell(state, aliases, depths, ask.steps, ask.tabs, ask.tabs and first))
    return found


def _engines(state: State, hardware: str) -> tuple[str, ...]:
    known = [state.engine]
    for name in names("calibration"):
        scope = api.load_calibration(name).scope
        if hardware in scope.hardware and state.model in scope.model:
            known += scope.engine
    return tuple(dict.fromkeys(known))


def _precision(state: State, hardware: str) -> str:
    """The precision that is taken if none is named."""
    checkpoints = api.load_model(state.model).checkpoints
    if state.checkpoint:
        return checkpoints[state.checkpoint].precision
    for precision in ("fp4", "fp8", "bf16"):
        try:
            one = api.make_scenario(hardware=hardware, model=state.model, tp=8, precision=precision)
        except InputError:
            continue
        return one.deployment.weights.precision
    return "bf16"


def held(ask: Ask, tell: Any = None, jobs: int = -1) -> Held:
    """Everything that a file holds, computed in processes of their own.

    Args:
        ask: what it is to hold.
        tell: told how many cells of how many are done.
        jobs: processes; -1: one per core.

    Raises:
        InputError: nothing of what is asked for can be done.
    """
    every = cells(ask)
    parts: dict[int, Held] = {}
    source = in_processes(computed_cell, every, jobs) if len(every) > 1 and jobs != 1 else _here(every)
    for i, part in source:
        parts[i] = part
        if tell is not None:
            tell(len(parts), len(every))
    out = Held({kind: [] for kind in KINDS}, {}, [])
    for i in range(len(every)):
        for kind, answers in parts[i].answers.items():
            out.answers[kind] += answers
        out.series |= parts[i].series
        out.left_out += parts[i].left_out
    if not out.answers["curve"]:
        raise InputError("\n".join(dict.fromkeys(out.left_out)))
    return out


def _here(every: Sequence[Cell]) -> Iterator[tuple[int, Held]]:
    return ((i, computed_cell(cell)) for i, cell in enumerate(every))


def computed_cell(cell: Cell) -> Held:
    """The answers of one cell."""
    builder = Builder(cell)
    try:
        builder.curves()
        if cell.tabs:
            builder.others()
        if cell.sessions:
            builder.sessions()
    except InputError as fault:
        builder.held.left_out.append(f"{cell.state.hardware[0]} {cell.state.engine} {cell.precision[-1]}: {fault}")
    return builder.held


class Builder:
    """Makes the answers of a cell; the points of each series are computed once."""

    def __init__(self, cell: Cell) -> None:
        """For a cell."""
        self.cell = cell
        self.held = Held({kind: [] for kind in KINDS}, {}, [])
        self._points: Kept[ResultTable] = Kept(10**9, lambda table: len(table.rows))
        self._replays: Kept[ResultTable] = Kept(10**9, lambda table: len(table.rows))

    def points(self, series: Series, intervals: bool) -> ResultTable:
        """Those runs of a series that the state has switched on, of all that were computed."""
        whole = replace(series, sweep=tuple(sorted(self.cell.state.sweep)))
        table = self._points.get((whole, intervals), lambda: computed(whole, intervals))
        if whole == series:
            return table
        rows = tuple(row for row in table.rows if row["tp"] in series.grid.tp)
        if not rows:
            raise InputError(f"nothing of {series.sweep[0]} fits in memory")
        return ResultTable(table.meta, rows)

    def curves(self) -> None:
        """Answers of Curve: depths alone and beside Off, replica sizes on and off, cost bases, steps of the slider."""
        state = self.cell.state
        known = self.cell.depths
        deepest = max(known)
        depths = [(k,) for k in known] + [(0, k) for k in known if k and 0 in known]
        self._curve(state, intervals=True)
        for mtp in depths:
            banded = set(mtp) <= {0, deepest}
            for sweep in _subsets(state.sweep):
                self._curve(state.model_copy(update={"mtp": mtp, "sweep": sweep}), intervals=banded)
            for basis in BASES:
                if basis != state.cost_basis:
                    self._curve(state.model_copy(update={"mtp": mtp, "cost_basis": basis}), intervals=banded)
        if self.cell.steps and deepest:
            for i in range(round(deepest / STEP) + 1):
                for mtp in ((deepest,), (0, deepest))[: 1 + (0 in known)]:
                    changes = {"mtp": mtp, "acceptance": f"length:{1 + i * STEP:.10g}"}
                    self._curve(state.model_copy(update=changes), intervals=False)

    def _curve(self, state: State, intervals: bool) -> None:
        where = self._where(state) | {
            "hardware": list(state.hardware),
            "mtp": list(state.mtp),
            "sweep": {"any": [list(one) for one in itertools.permutations(state.sweep)]},
            "cost_basis": state.cost_basis,
        }
        if any(state.mtp):
            where["acceptance"] = state.acceptance
        try:
            payload = TABS["curve"].answer(state, Work(points=self.points, intervals=intervals))
        except InputError as fault:
            self.held.left_out.append(str(fault))
            return
        resolved = payload["provenance"]["calibration"]
        where["calibration"] = {"any": list(dict.fromkeys((state.calibration, resolved)))}
        if where in [entry["where"] for entry in self.held.answers["curve"]]:
            return
        whole = state.model_copy(update={"sweep": self.cell.state.sweep})
        if whole != state:
            every = TABS["curve"].answer(whole, Work(points=self.points, intervals=intervals))["series"]
        else:
            every = payload["series"]
        own = {one["id"] for one in payload["series"]}
        ids = [self._series(one, state, lean=state.acceptance != "fitted") for one in every if one["id"] in own]
        self.held.answers["curve"].append(rounded({"where": where, **payload, "series": ids}))

    def _series(self, series: Mapping[str, Any], state: State, lean: bool) -> str:
        """Hold a series, and name it."""
        drafting = series["spec"] == "mtp"
        parts = [state.hardware[0], state.engine, state.precision, f"{state.isl}-{state.osl}", state.cost_basis]
        parts += [str(series["mtp"]), state.acceptance if drafting else ""]
        name = "/".join(parts)
        banded = "total_tok_s_gpu_lo" in series["columns"]
        known = self.held.series.get(name)
        if known is None or (banded and "total_tok_s_gpu_lo" not in known["columns"]):
            columns = [c for c in series["columns"] if not (lean and drafting) or c in NAMES or c in LEAN]
            places = [series["columns"].index(c) for c in columns]
            rows = [[row[i] for i in places] for row in series["rows"]]
            self.held.series[name] = rounded({**series, "columns": columns, "rows": rows})
        return name

    def others(self) -> None:
        """Answers of Break-even on the smallest replica, without its intervals, which take as long as all the rest, and
        of Why at a few numbers of clients."""
        state = self.cell.state
        hardware, deepest, sizes = state.hardware[0], max(self.cell.depths), sorted(_sizes(state))
        calibration = self.held.answers["curve"][0]["where"]["calibration"] if self.held.answers["curve"] else ""
        shared = self._where(state) | {"calibration": calibration, "acceptance": "fitted"}
        shared["why_hardware"] = {"any": ["", hardware]}
        for tp in sizes:
            size = {"why_tp": {"any": [0, tp] if tp == sizes[0] else [tp]}}
            if deepest and tp == sizes[0]:
                where = shared | size | {"why_mtp": {"any": [-1, deepest]}, "cost_basis": state.cost_basis}
                self._other("break-even", state.model_copy(update={"why_tp": tp, "why_mtp": deepest}), where)
            for k, clients in itertools.product(sorted({0, deepest} & {*self.cell.depths}), WHY_CLIENTS):
                depth = {"why_mtp": {"any": [-1, k] if k == deepest else [k]}, "why_concurrency": clients}
                changes = {"why_tp": tp, "why_mtp": k, "why_concurrency": clients}
                self._other("why", state.model_copy(update=changes), shared | size | depth)

    def _other(self, kind: str, state: State, where: dict[str, Any]) -> None:
        try:
            payload = TABS[kind].answer(state, Work(intervals=False))
        except InputError as fault:
            self.held.left_out.append(str(fault))
            return
        self.held.answers[kind].append(rounded({"where": where, **payload}))

    def replays(self, played: Played, intervals: bool) -> ResultTable:
        """Points of replayed sessions, each once."""
        return self._replays.get((played, intervals), lambda: replayed(played, intervals))

    def sessions(self) -> None:
        """Answers of Agentic: depths alone and beside Off, every replica size, cache, host memory and cost basis; with
        intervals where nothing but the replica size is chosen."""
        state = self.cell.state
        known, sizes = self.cell.depths, sorted(_sizes(state))
        depths = [(k,) for k in known] + [(0, k) for k in known if k and 0 in known]
        for mtp, tp, (cache, ratio), basis in itertools.product(depths, sizes, CACHES, BASES):
            lengths = [f"length:{1 + part * max(mtp):.10g}" for part in PARTS] if any(mtp) and self.cell.steps else []
            for acceptance in dict.fromkeys((state.acceptance, *lengths)):
                changes: dict[str, Any] = {"mtp": mtp, "why_tp": tp, "acceptance": acceptance, "cost_basis": basis}
                changes |= {"agentic_prefix_cache": cache, "agentic_host_cache_ratio": ratio}
                plain = (cache, ratio, acceptance) == (*CACHES[0], state.acceptance)
                self._sessions(state.model_copy(update=changes), tp == sizes[0], intervals=plain)

    def _sessions(self, state: State, smallest: bool, intervals: bool) -> None:
        where = self._where(state) | {
            "hardware": list(state.hardware),
            "mtp": list(state.mtp),
            "why_tp": {"any": [0, state.why_tp] if smallest else [state.why_tp]},
            "cost_basis": state.cost_basis,
            "agentic_concurrency": list(state.agentic_concurrency),
            "agentic_prefix_cache": state.agentic_prefix_cache,
            "agentic_host_cache_ratio": state.agentic_host_cache_ratio,
        }
        del where["isl"], where["osl"]
        if any(state.mtp):
            where["acceptance"] = state.acceptance
        try:
            payload = TABS["agentic"].answer(state, Work(replays=self.replays, intervals=intervals))
        except InputError as fault:
            self.held.left_out.append(str(fault))
            return
        where["calibration"] = {"any": list(dict.fromkeys((state.calibration, payload["provenance"]["calibration"])))}
        settings = f"{state.why_tp}/{state.agentic_prefix_cache}/{state.agentic_host_cache_ratio:g}/{state.cost_basis}"
        ids = []
        for one in payload["series"]:
            accepted = state.acceptance if one["mtp"] else ""
            ids.append(f"sessions/{state.engine}/{state.precision}/{one['id']}/{accepted}/{settings}")
            self.held.series.setdefault(ids[-1], rounded(one))
        self.held.answers["agentic"].append(rounded({"where": where, **payload, "series": ids}))

    def _where(self, state: State) -> dict[str, Any]:
        return {
            "model": state.model,
            "engine": state.engine,
            "recipe": state.recipe,
            "checkpoint": state.checkpoint,
            "precision": {"any": list(self.cell.precision)},
            "isl": state.isl,
            "osl": state.osl,
        }


def _sizes(state: State) -> list[int]:
    return [int(part.partition(":")[0]) for part in state.sweep]


def _subsets(sweep: Sequence[str]) -> list[tuple[str, ...]]:
    """The whole sweep, and each replica size alone; all parts of it where there are few."""
    most = len(sweep) if len(sweep) <= 3 else 1
    parts = [one for n in range(1, most + 1) for one in itertools.combinations(sweep, n)]
    return list(dict.fromkeys((tuple(sweep), *parts)))


def rounded(value: Any) -> Any:
    """The same with numbers of six significant digits.

    Example:
        >>> rounded({"a": [1234.56789, 3]})
        {'a': [1234.57, 3]}
    """
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    if isinstance(value, float) and math.isfinite(value):
        short = float(f"{value:.{DIGITS}g}")
        return int(short) if short == int(short) and abs(short) < 10**15 else short
    return value
