"""The calibration file: fitted parameters with errors, covariance, noise, scope and the data they came from.

A calibration replaces some priors of its accelerator, which it carries along; parameters that it does not name stay at
these, with their own uncertainty. Coordinates of the covariance are those of :meth:`Parameter.to_internal`; the
acceptance length AL at depth k has the coordinate ``logit((AL - 1) / k)`` under the name ``acceptance.length``.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.cost.covariance import Fault, covariance_faults
from simulator.cost.measured import Scope
from simulator.cost.parameters import NO_SUCH, Known, on_bounds, prior_covariance, registry, with_values
from simulator.cost.priors import KernelPriors, kernel_priors, layered
from simulator.errors import InputError, brief
from simulator.facts.deployment import Deployment
from simulator.facts.hardware import Hardware
from simulator.facts.identity import known_hardware, known_model
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Finite, Spec, Whole
from simulator.facts.reading import (
    is_path,
    load_hardware,
    names,
    raise_faults,
    read_mapping,
    shipped_name,
    validate,
)
from simulator.files.limits import current
from simulator.files.paths import user_path

Spread = Annotated[Finite, Plausible(1e-4, 100)]
"""A standard deviation of logarithms, or of a length in tokens."""
NoiseOfLogs = Annotated[Finite, Plausible(1e-4, 10)]

ACCEPTANCE = "acceptance.length"
PRIORS = "kernel-priors"


class FittedValue(Spec):
    """One fitted parameter. ``stderr`` and ``moved_sd`` are in the coordinate of the prior (log for log-scaled
    ones)."""

    value: Finite
    unit: str
    stderr: Spread = Field(ge=0)
    prior: Finite
    prior_sd: Spread = Field(gt=0)
    moved_sd: Annotated[Finite, Plausible(-100, 100)]


class FittedAcceptance(Spec):
    """Acceptance length fitted where the data did not state it."""

    length: Annotated[Finite, Plausible(1, 65)] = Field(ge=1)
    spec_tokens: Annotated[Whole, Plausible(1, 64)] = Field(gt=0)
    stderr: Spread = Field(ge=0, description="of the acceptance length, tokens per round")


class DataSource(Spec):
    """One data file that the fit used: name, SHA-256 of its bytes, selection and the line numbers of the rows used."""

    file: str
    sha256: str
    select: str = ""
    rows: list[Annotated[Whole, Field(gt=0)]]


class Covariance(Spec):
    """Posterior covariance in internal coordinates."""

    names: list[str] = Field(default_factory=list)
    matrix: list[list[Finite]] = Field(default_factory=list)


class Noise(Spec):
    """Standard deviation of log(measured / predicted) that the parameters do not explain: model error and run to
    run."""

    throughput: NoiseOfLogs = Field(gt=0)
    tpot: NoiseOfLogs = Field(gt=0)
    ttft: NoiseOfLogs = Field(gt=0)


class PriorValue(Spec):
    """Where a parameter stood before the fit, and how surely: ``sd`` as in ``parameters.yaml``."""

    value: Finite
    sd: Spread = Field(gt=0)


COST_MODEL = 2
"""Version of the cost model: what a parameter's name and value mean. It grows when either changes."""


class Calibration(Spec):
    """A calibration file, validated."""

    format: int = Field(ge=1, le=1)
    cost_model: Annotated[Whole, Plausible(1, 1_000)] = Field(
        default=1, description="version of the cost model that it was fitted with"
    )
    name: str
    description: str = ""
    scope: Scope
    parameters: dict[str, FittedValue]
    priors: dict[str, PriorValue] = Field(
        default_factory=dict, description="of the accelerator, where they are not the generic ones"
    )
    acceptance: FittedAcceptance | None = None
    covariance: Covariance
    noise: Noise
    noise_source: str = ""
    data: list[DataSource] = Field(default_factory=list)
    errors: dict[str, Whole | dict[str, Finite]] = Field(
        default_factory=dict, description="MAPE in sample and held out, as fractions"
    )
    identifiability: list[str] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)
    hash: str = ""

    def values(self) -> dict[str, float]:
        """All parameters of the cost model: the fitted ones, the rest at their priors.

        Raises:
            InputError: an unknown parameter or a value outside its bounds.
        """
        overrides = {n: p.value for n, p in self.parameters.items()}
        return with_values(overrides, f"calibration {self.name}", self.known)

    @functools.cached_property
    def known(self) -> Known:
        """All parameters with the priors that the fit began with."""
        return {
            name: dataclasses.replace(p, value=self.priors[name].value, sd=self.priors[name].sd)
            if name in self.priors
            else p
            for name, p in registry().items()
        }

    def of_hardware(self, hardware: Hardware, engine: str | None = None) -> Calibration:
        """The same where nothing was fitted, with the priors of an accelerator and of an engine's host in place of the
        generic ones."""
        if self.data or self.priors:
            return self
        found = layered(hardware, engine=engine)
        scope = self.scope.model_copy(update={"kernels": list(found.kernels)})
        return self.model_copy(update={"priors": prior_values(found.known), "scope": scope})

    def contradictions(self) -> list[Fault]:
        """What contradicts the table of parameters or itself, by where it stands."""
        faults: list[Fault] = []
        for name, fitted in self.parameters.items():
            known = self.known.get(name)
            if known is None:
                faults.append((("parameters", name), NO_SUCH))
                continue
            for key in ("value", "prior"):
                if (text := known.beyond(getattr(fitted, key))) is not None:
                    faults.append((("parameters", name, key), text))
            if fitted.unit != known.unit:
                faults.append((("parameters", name, "unit"), f"expected {known.unit}, found {fitted.unit!r}"))
        for name, prior in self.priors.items():
            bounds = registry().get(name)
            if bounds is None:
                faults.append((("priors", name), NO_SUCH))
            elif (text := bounds.beyond(prior.value)) is not None:
                faults.append((("priors", name, "value"), text))
        length = self.acceptance
        if length is not None and length.length > length.spec_tokens + 1:
            text = f"expected at most {length.spec_tokens + 1} at {length.spec_tokens} drafts, found {length.length:g}"
            faults.append((("acceptance", "length"), text))
        own = [*self.parameters, *([] if length is None else [ACCEPTANCE])]
        stderr = {name: fitted.stderr for name, fitted in self.parameters.items()}
        wrong = covariance_faults(self.covariance.names, self.covariance.matrix, own, stderr)
        return faults + [(("covariance", *path), text) for path, text in wrong]

    def on_bounds(self) -> list[str]:
        """A sentence on every fitted parameter that is on a bound."""
        return on_bounds({name: fitted.value for name, fitted in self.parameters.items()})

    def uncertainty(self) -> tuple[list[str], NDArray[np.float64]]:
        """Names and covariance of all uncertain quantities: fitted ones as fitted, the others as their priors say."""
        fitted = list(self.covariance.names)
        others = [n for n in registry() if n not in set(fitted)]
        size = len(fitted) + len(others)
        matrix = np.zeros((size, size))
        if fitted:
            matrix[: len(fitted), : len(fitted)] = np.array(self.covariance.matrix)
        if others:
            matrix[len(fitted) :, len(fitted) :] = prior_covariance(others, self.known)
        return fitted + others, matrix


class KernelsAlone(Calibration):
    """A file of kernel priors as a calibration to which no run was fitted.

    Its accelerator may be the user's own, of which the file has but the name; the deployment brings the profile, and
    with it the relatives that give what the tables do not show.
    """

    own: KernelPriors

    def of_hardware(self, hardware: Hardware, engine: str | None = None) -> Calibration:
        """The same with what the relatives of the accelerator give. Another accelerator than the one that was measured
        takes the values too: :func:`mismatches` says so."""
        return self.model_copy(update={"priors": prior_values(layered(hardware, self.own, engine).known)})


def digest(content: dict[str, Any]) -> str:
    """SHA-256 of a calibration's content, its own ``hash`` entry left out."""
    body = {k: v for k, v in content.items() if k != "hash"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def length_coordinate(length: float, k: int) -> float:
    """Internal coordinate of an acceptance length, ``logit((AL - 1) / k)``, kept finite at the ends."""
    share = min(max((length - 1.0) / k, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


def length_of_coordinate(x: float, k: int) -> float:
    """The inverse of :func:`length_coordinate`."""
    return 1.0 + k / (1.0 + math.exp(-x))


def load_calibration(name: str) -> Calibration:
    """A calibration by name or path; a file is read again when it was written again.

    Raises:
        InputError: unknown name, a malformed file, or a file that was changed after it was written.
    """
    path = user_path("calibration", name) if is_path(name) else Path(name)
    found = path.stat() if is_path(name) and path.is_file() else None
    return _load(name, found and (found.st_ino, found.st_mtime_ns, found.st_size), current().implausible)


@functools.cache
def _load(name: str, stamp: tuple[int, int, int] | None, implausible: bool) -> Calibration:
    raw = read_mapping("calibration", name)
    label = f"calibration {name}"
    if "tables" in raw:
        return _of_kernels(name, label, raw)
    if raw.get("cost_model", 1) != COST_MODEL and raw.get("format") == 1:
        raise InputError(_outdated(name, raw))
    calibration = validate(Calibration, raw, label)
    if (is_path(name) or calibration.data) and digest(raw) != calibration.hash:
        raise InputError(
            f"{label}: hash: the content does not match its hash, so the file was changed after it was fitted; "
            f"found {calibration.hash[:12] or 'none'}..., expected {digest(raw)[:12]}... Run mtpsim calibrate again"
        )
    if is_path(name):
        raise_faults(raw, calibration.contradictions(), label)
    calibration.values()
    return calibration


def _outdated(name: str, raw: Mapping[str, Any]) -> str:
    """Why a calibration of another version is not read, and how to fit it again."""
    found = brief(raw.get("cost_model", 1))
    listed = raw.get("data")
    sources = listed if isinstance(listed, list) else []
    files = [str(s["file"]) for s in sources if isinstance(s, Mapping) and "file" in s]
    select = next((str(s["select"]) for s in sources if isinstance(s, Mapping) and s.get("select")), None)
    if name in names("calibration"):
        return (
            f"calibration {name}: cost_model: fitted with version {found} of the cost model, expected {COST_MODEL}. "
            "Fit it again: mtpsim calibrate --shipped"
        )
    chosen = f" --select {shlex.quote(select)}" if select else ""
    command = f"mtpsim calibrate {' '.join(map(shlex.quote, files)) or 'ROWS.csv'}{chosen} -o {shlex.quote(name)}"
    return (
        f"calibration {name}: cost_model: fitted with version {found} of the cost model, expected {COST_MODEL}: its "
        f"parameters mean something else now. Fit it again: {command}"
    )


def _of_kernels(name: str, label: str, raw: dict[str, Any]) -> Calibration:
    """A file of kernel priors (``mtpsim fit-kernels``) as a calibration to which no run was fitted."""
    found = kernel_priors(raw, label)
    if found.cost_model != COST_MODEL:
        files = " ".join(shlex.quote(table.file) for table in found.tables)
        raise InputError(
            f"{label}: cost_model: fitted with version {found.cost_model} of the cost model, expected {COST_MODEL}. "
            f"Fit it again: mtpsim fit-kernels {files} --hardware {shlex.quote(found.hardware)} -o {shlex.quote(name)}"
        )
    base = load_calibration(PRIORS)
    scope = base.scope.model_copy(update={"kernels": [found.hardware], "hardware": [found.hardware]})
    values = {parameter: PriorValue(value=p.value, sd=p.sd) for parameter, p in found.parameters.items()}
    fields = {**dict(base), "name": found.name, "scope": scope, "priors": values, "own": found}
    alone = KernelsAlone.model_construct(**fields)
    known = shipped_name("hardware", found.hardware)
    return alone if known is None else alone.of_hardware(load_hardware(known))


def prior_values(known: Known) -> dict[str, PriorValue]:
    """What differs from the generic priors."""
    generic = registry()
    return {
        name: PriorValue(value=p.value, sd=p.sd)
        for name, p in known.items()
        if (p.value, p.sd) != (generic[name].value, generic[name].sd)
    }


def mismatches(calibration: Calibration, deployment: Deployment) -> list[str]:
    """Where a deployment leaves what the calibration was fitted to: engine, hardware, model or precision."""
    scope, out = calibration.scope, []
    pairs = (
        ("hardware", scope.hardware, known_hardware(deployment.hardware)),
        ("model", scope.model, known_model(deployment.model)),
        ("engine", scope.engine, deployment.engine.name),
        ("precision", scope.precision, deployment.weights.precision),
    )
    for what, allowed, found in pairs:
        if allowed and found not in allowed:
            out.append(f"{what} {found} (fitted to {', '.join(allowed)})")
    return out


def default_calibration(deployment: Deployment, isl: float | None = None) -> Calibration:
    """The shipped calibration for a deployment, or the kernel priors if none covers it.

    Of those whose scope matches, the one that was fitted to the nearest input length goes first (by their ratio), then
    the least held-out TPOT error.

    Args:
        deployment: what runs.
        isl: nominal input tokens, or the mean of lengths that have no nominal one; None: any.
    """
    matching = []
    for name in names("calibration"):
        calibration = load_calibration(name)
        if calibration.data and not mismatches(calibration, deployment):
            fitted = calibration.scope.isl
            away = 0.0 if isl is None else min((abs(math.log(isl / n)) for n in fitted), default=math.inf)
            errors = calibration.errors.get("leave_one_concurrency_out")
            held_out = errors.get("tpot", math.inf) if isinstance(errors, dict) else math.inf
            matching.append((away, held_out, name))
    return load_calibration(min(matching)[-1] if matching else PRIORS).of_hardware(
        deployment.hardware, deployment.engine.name
    )
