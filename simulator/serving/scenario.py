"""From names and numbers, as a user gives them, to a checked scenario."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from simulator.bounds import number, whole
from simulator.cost.calibration import Calibration, default_calibration, load_calibration, mismatches
from simulator.errors import InputError, brief, unknown_name
from simulator.facts.deployment import Deployment, check_deployment, default_precision, resolve_checkpoint
from simulator.facts.drafting import with_draft
from simulator.facts.formats import KV_FORMATS
from simulator.facts.launch import RecipeSet, as_fitted, launch, relaunched
from simulator.facts.memory import MemoryFit, memory_fit, reserved_tokens
from simulator.facts.model import Model
from simulator.facts.quantities import MOST
from simulator.facts.reading import is_configuration, load_engine, load_hardware, load_model, named_model
from simulator.speculation import acceptance as sp
from simulator.speculation.published import load_acceptance
from simulator.speculation.stated import Acceptance
from simulator.traffic.benchmark import Workload
from simulator.units import GIGA

COST_BASES = ("hyperscaler", "neocloud", "rental")


@dataclass(frozen=True)
class Scenario:
    """A deployment under the closed-loop benchmark with one speculation setting and one calibration.

    ``forced``: where the calibration was applied outside of what it was fitted to. ``by_rule``: nobody named the
    calibration. ``stated``: the acceptance that the user stated, if any. ``any_checkpoint``: nobody named one.
    """

    deployment: Deployment
    workload: Workload
    speculation: sp.Speculation
    calibration: Calibration
    forced: tuple[str, ...] = ()
    by_rule: bool = False
    stated: Acceptance = field(default_factory=Acceptance)
    any_checkpoint: bool = False

    @property
    def max_concurrency(self) -> int:
        """Largest number of running requests whose caches fit."""
        return self.memory.max_concurrency

    @property
    def slots(self) -> int:
        """Most requests that run at once: what fits, and what the engine is launched for. More than that wait."""
        return slots_of(self.deployment, self.memory)

    @functools.cached_property
    def memory(self) -> MemoryFit:
        """Memory of one GPU, with the caches that running requests take in the mean."""
        return memory_of(self.deployment, self.workload, self.speculation.tokens)

    def drafting(self, speculation: sp.Speculation) -> Scenario:
        """The same scenario with other drafts or none, and the recipe that its rule then chooses."""
        deployment = relaunched(self.deployment, speculation.tokens > 0)
        return replace(self, deployment=deployment, speculation=speculation)

    def check_memory(self, concurrency: int) -> None:
        """Refuse what does not fit.

        Raises:
            InputError: with the arithmetic and the largest concurrency that fits.
        """
        memory = self.memory
        if not memory.fits(concurrency):
            d = self.deployment
            raise InputError(
                f"{d.model.name} {d.checkpoint} at concurrency {concurrency} on {d.gpus} x {d.hardware.name} with "
                f"--mtp {self.speculation.tokens} does not fit. {memory.arithmetic(concurrency)}"
            )


def memory_of(deployment: Deployment, workload: Workload, spec_tokens: int) -> MemoryFit:
    """Memory of one GPU, with the caches that running requests of a workload take in the mean."""
    longest = workload.isl + workload.osl
    tokens = reserved_tokens(deployment.engine, workload.mean_isl, workload.mean_osl, longest)
    return memory_fit(deployment, tokens, spec_tokens, longest)


def slots_of(deployment: Deployment, memory: MemoryFit) -> int:
    """Most requests that run at once: what fits, and what the engine is launched for."""
    return min(memory.max_concurrency, deployment.engine.max_running or memory.max_concurrency)


def make_scenario(
    *,
    hardware: str = "mi355x",
    model: str = "qwen3.5-397b-a17b",
    precision: str | None = None,
    checkpoint: str | None = None,
    engine: str = "sglang",
    tp: int = 2,
    ep: int = 1,
    dp: int = 1,
    pp: int = 1,
    isl: int = 1024,
    osl: int = 1024,
    mtp: int = 0,
    draft: str | None = None,
    acceptance_length: float | None = None,
    acceptance_rate: float | None = None,
    acceptance: Sequence[float] | None = None,
    acceptance_profile: str | None = None,
    acceptance_positions: str | None = None,
    draft_acceptance: float | None = None,
    calibration: str | None = None,
    force: bool = False,
    kv_dtype: str | None = None,
    allow_dequant: bool = False,
    hit_rate: float = 0.0,
    requests_per_client: int = 10,
    range_ratio: float = 0.8,
    recipe: str | None = None,
    recipe_set: RecipeSet = (),
) -> Scenario:
    """A checked scenario; the arguments are the options of ``mtpsim predict``.

    Names of profiles are case-insensitive, and a path to a YAML file is accepted wherever a name is. Without
    ``precision`` and ``checkpoint`` the precision is FP4 where the model has it: MXFP4 on AMD, NVFP4 on NVIDIA. Of
    several checkpoints of a precision it is one that the calibration was fitted to. A model named by the repository of
    a checkpoint is that checkpoint, unless another precision is stated.

    Args:
        hardware: profile name or path.
        model: profile name, repository or path; also of a ``config.json`` or the folder that it is in.
        precision: ``bf16``, ``fp8`` or ``fp4``.
        checkpoint: name or repository of one checkpoint of the model.
        engine: profile name or path.
        tp: GPUs of the replica, or of each of its pipeline stages.
        ep: expert-parallel ranks inside them.
        dp: attention data-parallel ranks inside them.
        pp: pipeline stages; without drafts.
        isl: nominal input length, tokens.
        osl: nominal output length, tokens.
        mtp: draft depth, 0 for off.
        draft: what drafts: ``mtp``, ``eagle3``, ``block``, ``ngram``, the path of a YAML file that describes one, or a
            small model by name or path; None: the model's own draft.
        acceptance_length: mean tokens per round, in [1, mtp + 1].
        acceptance_rate: one probability for all positions, each given that all drafts before it were accepted.
        acceptance: probability per position, each given that all drafts before it were accepted, ``mtp`` of them.
        acceptance_profile: name or path of a published table.
        acceptance_positions: probability per position with its definition: ``"unconditional:0.90,0.75,0.60"`` of all
            rounds, as vLLM prints it, or ``"conditional:0.90,0.83,0.80"``.
        draft_acceptance: accepted over drafted tokens, (length - 1) / mtp, as vLLM prints it.
        calibration: name or path; None: the shipped one that matches, else the kernel priors.
        force: apply a calibration outside what it was fitted to.
        kv_dtype: KV-cache format; None: the engine's.
        allow_dequant: compute in the next wider format that the hardware has.
        hit_rate: part of each prompt that the prefix cache holds, 0 to 1: attended to and held, but not computed.
        requests_per_client: requests that each client sends.
        range_ratio: lengths are uniform integers in [range_ratio x L, L].
        recipe: name or path of the recipe that launches the engine, ``none`` for the engine's own settings; None: the
            shipped one whose address matches best.
        recipe_set: settings over those of the recipe: a mapping, or ``["chunk_tokens=8192"]``.

    Raises:
        InputError: bad input, with what was found and what was expected.

    Example:
        >>> make_scenario(tp=2, mtp=3, acceptance_length=2.8).max_concurrency > 64
        True
    """
    if checkpoint is None:
        checkpoint = checkpoint_of(model, precision)
    if isinstance(mtp, bool) or not isinstance(mtp, int) or mtp > MOST:
        raise InputError(f"--mtp: expected a whole number, 0 for off, found {brief(mtp)}")
    deployment = resolve_deployment(
        hardware=hardware,
        model=model,
        engine=engine,
        tp=tp,
        precision=precision,
        checkpoint=checkpoint,
        ep=ep,
        dp=dp,
        pp=pp,
        kv_dtype=kv_dtype,
        allow_dequant=allow_dequant,
        hit_rate=hit_rate,
        mtp=mtp > 0,
        draft=draft,
        recipe=recipe,
        recipe_set=recipe_set,
    )
    if mtp > 0 and pp > 1:
        raise InputError(f"--pp {pp}: drafts with pipeline stages are not priced; expected --mtp 0, found {mtp}")
    workload = resolve_workload(isl, osl, range_ratio, requests_per_client)
    chosen, forced = resolve_calibration(calibration, deployment, force, isl)
    if checkpoint is None:
        deployment = with_fitted_checkpoint(deployment, chosen)
    deployment = as_fitted(deployment, chosen.scope.recipes, mtp > 0)
    stated = Acceptance(
        acceptance_length, acceptance_rate, acceptance, acceptance_profile, acceptance_positions, draft_acceptance
    )
    return Scenario(
        deployment=deployment,
        workload=workload,
        speculation=resolve_speculation(mtp, stated, deployment.model, chosen),
        calibration=chosen,
        forced=forced,
        by_rule=calibration is None,
        stated=stated,
        any_checkpoint=checkpoint is None,
    )


def checkpoint_of(model: str, precision: str | None) -> str | None:
    """The checkpoint that a model's name is the repository of, if it has the precision asked for; None: none."""
    named = None if is_configuration(model) else named_model(model)
    if named is None or named.checkpoint is None:
        return None
    found = load_model(model).checkpoints[named.checkpoint].precision
    return named.checkpoint if precision is None or precision.lower() == found else None


def with_fitted_checkpoint(deployment: Deployment, calibration: Calibration) -> Deployment:
    """The same deployment with a checkpoint of its precision that the calibration was fitted to, if there is one."""
    fitted = calibration.scope.checkpoint
    if not fitted or deployment.checkpoint in fitted:
        return deployment
    checkpoints, precision = deployment.model.checkpoints, deployment.weights.precision
    same = [name for name in fitted if name in checkpoints and checkpoints[name].precision == precision]
    if not same:
        return deployment
    found = deployment.model_copy(update={"checkpoint": same[0]})
    check_deployment(found)
    return found


def for_lengths(scenario: Scenario, mean_isl: float) -> Scenario:
    """The same scenario for traffic of another mean input length (tokens), with the calibration that its rule chooses.

    A calibration that the user named stays, and so does an acceptance that is not the rule's.
    """
    if not scenario.by_rule:
        return scenario
    before, model, k = scenario.calibration, scenario.deployment.model, scenario.speculation.tokens
    after = default_calibration(scenario.deployment, mean_isl)
    if after.name == before.name:
        return scenario
    speculation = scenario.speculation
    if k and speculation == resolve_speculation(k, scenario.stated, model, before):
        speculation = resolve_speculation(k, scenario.stated, model, after)
    deployment = scenario.deployment
    if scenario.any_checkpoint:
        deployment = with_fitted_checkpoint(deployment, after)
    deployment = as_fitted(deployment, after.scope.recipes, k > 0)
    return replace(scenario, deployment=deployment, calibration=after, speculation=speculation)


def check_decodes(scenario: Scenario) -> None:
    """Refuse outputs of one token, which the prefill emits, where a question is about the tokens after it.

    Raises:
        InputError: names the option.
    """
    if scenario.workload.osl == 1:
        raise InputError("--osl: the prefill emits the one token of each output; expected 2 or more, found 1")


def published_acceptance(model: str = "qwen3.5-397b-a17b") -> str | None:
    """Name of the acceptance profile published for a model (name or path), None if there is none."""
    return load_model(model).default_acceptance


def resolve_deployment(
    *,
    hardware: str,
    model: str,
    engine: str,
    tp: int,
    precision: str | None = None,
    checkpoint: str | None = None,
    ep: int = 1,
    dp: int = 1,
    pp: int = 1,
    kv_dtype: str | None = None,
    allow_dequant: bool = False,
    hit_rate: float = 0.0,
    mtp: bool = False,
    draft: str | None = None,
    recipe: str | None = None,
    recipe_set: RecipeSet = (),
    date: str | None = None,
    image: str | None = None,
) -> Deployment:
    """Load the profiles, launch the engine by its recipe, and check that all go together.

    ``mtp``: whether drafts are made; ``draft``: by what, see :func:`simulator.facts.drafting.with_draft`; ``date`` and
    ``image``: of the run. They decide where no recipe is named.

    Raises:
        InputError: unknown names, parallelism that does not divide the shape, a format the hardware lacks.
    """
    hw, m, e = load_hardware(hardware), with_draft(load_model(model), draft), load_engine(engine)
    if kv_dtype is not None and kv_dtype.lower() not in KV_FORMATS:
        raise unknown_name("KV-cache format", kv_dtype, KV_FORMATS)
    if precision is None and checkpoint is None:
        precision = default_precision(m, hw)
    name = resolve_checkpoint(m, hw, precision, checkpoint)
    fields = {
        "hardware": hw,
        "model": m,
        "engine": e,
        "checkpoint": name,
        "tp": tp,
        "ep": ep,
        "dp": dp,
        "pp": pp,
        "draft": draft,
        "kv_dtype": kv_dtype.lower() if kv_dtype else None,
        "allow_dequant": allow_dequant,
        "hit_rate": checked_hit_rate(hit_rate),
    }
    deployment = Deployment(**_positive(fields, ("tp", "ep", "dp", "pp")))
    check_deployment(deployment)
    return launch(deployment, mtp, recipe, recipe_set, date=date, image=image)


def checked_hit_rate(value: float) -> float:
    """A part of each prompt.

    Raises:
        InputError: not from 0 to 1.
    """
    if not 0 <= number("--hit-rate", value, "a part of each prompt, 0 to 1") <= 1:
        raise InputError(f"--hit-rate: expected a part of each prompt, 0 to 1, found {value:g}")
    return float(value)


def resolve_workload(isl: int, osl: int, range_ratio: float = 0.8, requests_per_client: int = 10) -> Workload:
    """A checked workload.

    Raises:
        InputError: a length, ratio or count outside its bounds.
    """
    try:
        return Workload(isl=isl, osl=osl, range_ratio=range_ratio, requests_per_client=requests_per_client)
    except ValidationError as fault:
        lines = [f"--{e['loc'][0]}: {e['msg']}, found {brief(e['input'])}".replace("_", "-") for e in fault.errors()]
        raise InputError("\n".join(lines)) from None


def resolve_calibration(
    name: str | None, deployment: Deployment, force: bool = False, isl: int | None = None
) -> tuple[Calibration, tuple[str, ...]]:
    """The calibration to use and, when forced, where the deployment leaves what it was fitted to.

    Raises:
        InputError: the calibration belongs to other hardware, model, engine or precision and ``force`` is not set.
    """
    if name is None:
        return default_calibration(deployment, isl), ()
    calibration = load_calibration(name).of_hardware(deployment.hardware, deployment.engine.name)
    wrong = tuple(mismatches(calibration, deployment))
    if wrong and not force:
        raise InputError(
            f"calibration {calibration.name} does not cover {'; '.join(wrong)}. Use --force to apply it all the same; "
            "the output is then marked"
        )
    return calibration, wrong


def resolve_speculation(k: int, acceptance: Acceptance, model: Model, calibration: Calibration) -> sp.Speculation:
    """Draft depth and acceptance, by the one rule: stated, else fitted by the calibration, else the model's default.

    Acceptance belongs to the text. A calibration is fitted to random tokens, as the benchmarks send them, and the
    default profile of a model is of random tokens too where one is published, else of GSM8K; other text (chat, coding)
    is a profile to name.

    Raises:
        InputError: acceptance without MTP, several acceptances, a model without an MTP layer, values out of range.
    """
    given = acceptance.given
    acceptance.check()
    if k < 0:
        raise InputError(f"--mtp: expected a depth of 0 (off) or more, found {k}")
    if k == 0:
        if given:
            raise InputError(f"{given[0]}: acceptance needs drafting, but --mtp is 0 (off)")
        return sp.OFF
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)}: expected one way to state acceptance, found {len(given)}")
    if model.draft is None:
        raise InputError(f"--mtp {k}: model {model.name} has no MTP layer")
    if (stated := acceptance.speculation(k)) is not None:
        return stated
    fitted = calibration.acceptance if model.drafts_itself else None
    if acceptance.profile is None and fitted is not None:
        return sp.at_depth(fitted.length, fitted.spec_tokens, k, f"fitted by calibration {calibration.name}")
    name = acceptance.profile or model.default_acceptance
    if name is None:
        of = "" if model.drafts_itself else f" of {model.draft.title}s"
        raise InputError(f"--mtp {k}: model {model.name} has no published acceptance{of}; give --acceptance-length")
    profile = load_acceptance(name)
    return sp.from_length_table(list(profile.acceptance_length.values()), k, profile.described(k))


def cost_basis_price(deployment: Deployment, basis: str) -> float | None:
    """$/GPU/h on a cost basis, None where the profile has no price.

    Raises:
        InputError: unknown basis.
    """
    if basis not in COST_BASES:
        raise unknown_name("cost basis", basis, COST_BASES)
    price = deployment.hardware.price
    return None if price is None else float(getattr(price, basis))


def describe(scenario: Scenario) -> dict[str, Any]:
    """Every resolved input, for the meta block of a result."""
    d, w, c = scenario.deployment, scenario.workload, scenario.calibration
    return {
        "hardware": d.hardware.name,
        "model": d.model.name,
        "checkpoint": d.checkpoint,
        "checkpoint_repository": d.weights.repository,
        "precision": d.weights.precision,
        "engine": d.engine.name,
        "recipe": d.launch.recipe,
        "recipe_by_rule": d.launch.by_rule,
        "recipe_set": dict(d.launch.changes),
        "kv_dtype": d.kv_format,
        "allow_dequant": d.allow_dequant,
        "isl": w.isl,
        "osl": w.osl,
        "range_ratio": w.range_ratio,
        "requests_per_client": w.requests_per_client,
        "calibration": c.name,
        "calibration_hash": c.hash or None,
        "forced_outside_calibration": list(scenario.forced),
        "hbm_budget_gb": scenario.memory.budget / GIGA,
        **({"pp": d.pp} if d.pp > 1 else {}),
        **({"hit_rate": d.hit_rate} if d.hit_rate else {}),
        **({"draft": d.draft} if d.draft else {}),
        **({"draft_kind": d.model.draft.kind} if d.model.draft and not d.model.drafts_itself else {}),
    }


def _positive(fields: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    for name in names:
        value = fields[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"--{name}: expected a whole number of at least 1, found {brief(value)}")
        whole(f"--{name}", value, 1, MOST)
    return fields
