"""From a measured row to the configuration that the model can predict."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.cost.calibration import Calibration
from simulator.errors import InputError
from simulator.facts.deployment import Deployment
from simulator.facts.formats import KV_FORMATS
from simulator.facts.launch import NONE, as_fitted
from simulator.facts.reading import is_configuration, is_path, load_model
from simulator.measurements import MeasuredPoint
from simulator.measurements.requests import DEFAULT_REQUESTS, requests_per_client
from simulator.measurements.rows import LOWEST, Run
from simulator.serving.scenario import (
    Scenario,
    checkpoint_of,
    memory_of,
    resolve_deployment,
    resolve_speculation,
    resolve_workload,
    slots_of,
    with_fitted_checkpoint,
)
from simulator.speculation.stated import Acceptance
from simulator.traffic.benchmark import Workload

DEFAULT_DEPTH = 3
"""Draft depth of an MTP row that does not state one: what all published Qwen3.5 MTP recipes use."""

KV_NAMES = {"fp8_e4m3": "fp8", "fp8_e5m2": "fp8", "bfloat16": "bf16", "fp16": "bf16", "float16": "bf16"}


@dataclass(frozen=True)
class Configuration:
    """Everything of a run that decides its expected metrics. ``acceptance_length`` None: not stated, or off.

    ``recipe``: name or path, ``none`` for the engine's own settings; None: the latest that the rule chooses.
    """

    hardware: str
    model: str
    engine: str
    precision: str
    checkpoint: str | None
    tp: int
    ep: int
    dp: int
    kv_dtype: str | None
    isl: int
    osl: int
    spec_tokens: int
    acceptance_length: float | None
    concurrency: int
    requests_per_client: int = DEFAULT_REQUESTS
    allow_dequant: bool = False
    recipe: str | None = None
    range_ratio: float = LOWEST

    @property
    def workload(self) -> Workload:
        """Lengths and number of requests. The more requests, the less the opening burst weighs in means and tails."""
        return resolve_workload(self.isl, self.osl, self.range_ratio, self.requests_per_client)

    @property
    def deployment(self) -> Deployment:
        """The deployment, checked. A run that was measured did fit, so it had as much of the memory as it takes.

        Raises:
            InputError: unknown names, impossible parallelism or precision.
        """
        return _deployment(self.spec_tokens, self.isl, self.osl, *(getattr(self, name) for name in DEPLOYED))

    @functools.cached_property
    def server(self) -> Configuration:
        """What is the same at every load: concurrency and lengths are 0."""
        return replace(self, concurrency=0, isl=0, osl=0)

    @functools.cached_property
    def slots(self) -> int:
        """Most requests that run at once, at least one; see :attr:`Scenario.slots`."""
        deployment = self.deployment
        return max(1, slots_of(deployment, memory_of(deployment, self.workload, self.spec_tokens)))

    def scenario(self, calibration: Calibration, forced: tuple[str, ...] = ()) -> Scenario:
        """The scenario under a calibration, with the row's own acceptance length when it states one.

        Of a row that names no known checkpoint it is one of its precision that the calibration was fitted to.
        """
        deployment = self.deployment
        if not _known(self.model, self.checkpoint):
            deployment = with_fitted_checkpoint(deployment, calibration)
        deployment = as_fitted(deployment, calibration.scope.recipes, self.spec_tokens > 0)
        acceptance = Acceptance(length=self.acceptance_length)
        speculation = resolve_speculation(self.spec_tokens, acceptance, deployment.model, calibration)
        return Scenario(deployment, self.workload, speculation, calibration, forced)


def configuration(row: MeasuredPoint, *, model: str | None = None, allow_dequant: bool = False) -> Configuration:
    """The configuration of a measured run; a checkpoint that no profile knows falls back to the row's precision.

    A row that names no recipe has that of its accelerator, precision, drafts, day and engine version.

    Args:
        row: the measured point.
        model: profile name or path to use instead of the model that the row names.
        allow_dequant: compute in the next wider format that the hardware has.

    Raises:
        InputError: names the file and the line of the row, and what is unknown.
    """
    k = 0 if row.spec == "off" else row.spec_tokens or DEFAULT_DEPTH
    kv = row.kv_cache_dtype.lower() if row.kv_cache_dtype else None
    kv = KV_NAMES.get(kv, kv) if kv else None
    named = model if model is not None and is_configuration(model) else _profile(model or row.model)
    out = Configuration(
        hardware=_profile(row.hardware),
        model=named,
        engine=_profile(row.engine),
        precision=row.precision.lower(),
        checkpoint=row.checkpoint or _checkpoint_of(named, row.precision.lower()),
        tp=row.tp,
        ep=row.ep or 1,
        dp=row.tp if row.dp_attention else 1,
        kv_dtype=kv if kv in KV_FORMATS else None,
        isl=row.isl,
        osl=row.osl,
        spec_tokens=k,
        acceptance_length=row.acceptance_length,
        concurrency=row.concurrency,
        requests_per_client=requests_per_client(row),
        allow_dequant=allow_dequant,
        recipe=row.recipe,
        range_ratio=row.ratio,
    )
    try:
        check_one_replica(row)
        if row.recipe is None:
            out = replace(out, recipe=recipe_of_run(out, row.date, row.engine_version))
        _ = out.deployment
    except InputError as fault:
        raise InputError(f"{row.file}: line {row.line}: {fault}") from None
    return out


def check_one_replica(row: Run) -> None:
    """Refuse a run of more than one replica of TP GPUs.

    Raises:
        InputError: names both numbers.
    """
    if row.all_gpus != row.tp:
        raise InputError(
            f"{row.gpus} GPUs with tp {row.tp}: pools, pipeline stages or several replicas, and a row is predicted as "
            "one replica of tp GPUs"
        )


def recipe_of_run(config: Configuration, date: str | None, image: str | None) -> str:
    """Name of the recipe by rule of a run on some day with some engine version, ``none`` if there is none.

    Raises:
        InputError: as of :attr:`Configuration.deployment`.
    """
    named = {name: getattr(config, name) for name in DEPLOYED}
    return _recipe(config.spec_tokens > 0, date, image, *named.values())


def _profile(name: str) -> str:
    """A profile's name without case; a path as it is."""
    return name if is_path(name) else name.lower()


DEPLOYED = (
    *("hardware", "model", "engine", "precision", "checkpoint", "tp", "ep", "dp", "kv_dtype", "allow_dequant"),
    "recipe",
)
"""The fields of a configuration that make its deployment."""


MOST_MEMORY = 0.97
"""Of HBM, what an engine can be launched with: the driver keeps the rest."""


@functools.cache
def _deployment(spec_tokens: int, isl: int, osl: int, *values: Any) -> Deployment:
    found = resolve_deployment(mtp=spec_tokens > 0, **_named(values))
    if memory_of(found, resolve_workload(isl, osl), spec_tokens).max_concurrency > 0:
        return found
    engine = found.engine.model_copy(update={"memory_fraction": MOST_MEMORY, "cache_fraction": 1.0})
    return found.model_copy(update={"engine": engine})


@functools.cache
def _recipe(mtp: bool, date: str | None, image: str | None, *values: Any) -> str:
    found = resolve_deployment(mtp=mtp, date=date, image=image, **_named(values))
    return found.launch.recipe or NONE


def _named(values: Sequence[Any]) -> dict[str, Any]:
    named = dict(zip(DEPLOYED, values, strict=True))
    if not _known(named["model"], named["checkpoint"]):
        named["checkpoint"] = None
    return named


@functools.cache
def _checkpoint_of(model: str, precision: str) -> str | None:
    """The checkpoint that the name of a model is the repository of; None also for a name that nothing knows."""
    try:
        return checkpoint_of(model, precision)
    except InputError:
        return None  # said, with the line of the row, where the model is looked up


@functools.cache
def _known(model: str, checkpoint: str | None) -> bool:
    """Whether a profile has a checkpoint of this name or repository."""
    known = load_model(model).checkpoints
    names = {n.lower() for n in known} | {c.repository.lower() for c in known.values()}
    return checkpoint is not None and checkpoint.lower() in names
