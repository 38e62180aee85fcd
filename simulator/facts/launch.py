"""From an engine and a run to the engine as that run launched it: by a named recipe, or by the rule of addresses."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from simulator.bounds import parse_number
from simulator.errors import InputError, brief, unknown_name
from simulator.facts.deployment import Deployment
from simulator.facts.engine import Engine
from simulator.facts.hardware import Hardware
from simulator.facts.identity import known_hardware
from simulator.facts.plausible import implausible
from simulator.facts.reading import load_engine, load_recipe, names
from simulator.facts.recipe import Launch, Recipe, Settings, applied, best, day_of
from simulator.files.limits import current

NONE = "none"
"""The name that stands for the engine's own settings."""

SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

RecipeSet = Mapping[str, object] | Sequence[str]
"""Settings to change: by name, or as ``key=value``."""


@functools.cache
def _shipped() -> tuple[Recipe, ...]:
    return tuple(load_recipe(name) for name in names("recipe"))


@functools.cache
def _shipped_engine(name: str) -> Engine:
    return load_engine(name)


def resolve_recipe(
    engine: str,
    hardware: Hardware,
    precision: str,
    mtp: bool,
    date: str | None = None,
    image: str | None = None,
) -> Recipe | None:
    """The shipped recipe of a run that names none.

    The most specific address wins: one that lists the accelerator, then one of its vendor, then one of the engine
    alone; among those one that states the precision, one that states whether drafts are made, one whose image matches,
    and last the latest that began on the day or before.

    Args:
        engine: name of the engine profile.
        hardware: the accelerator.
        precision: of the weights.
        mtp: whether drafts are made.
        date: ISO day of the run; None, or text that begins with no day: the latest.
        image: engine version; a recipe that states matching ones needs no day.

    Example:
        >>> from simulator.facts.reading import load_hardware
        >>> resolve_recipe("sglang", load_hardware("mi355x"), "fp4", False, "2026-07-20").name
        'sglang-mi355x-fp4-2026-07'
    """
    return _best_of(_shipped(), engine, hardware, precision, mtp, date, image)


def _best_of(
    recipes: Iterable[Recipe],
    engine: str,
    hardware: Hardware,
    precision: str,
    mtp: bool,
    date: str | None = None,
    image: str | None = None,
) -> Recipe | None:
    return best(
        recipes,
        engine=engine,
        hardware=known_hardware(hardware),
        vendor=hardware.vendor,
        precision=precision,
        mtp=mtp,
        date=day_of(date),
        image=image,
    )


def named_recipe(name: str, engine: Engine) -> Recipe:
    """A recipe by name or path.

    Raises:
        InputError: no such recipe (those of the engine are named), or one of another engine.
    """
    recipe = load_recipe(name)
    if recipe.address.engine != engine.name:
        own = [one.name for one in _shipped() if one.address.engine == engine.name]
        raise InputError(
            f"--recipe {name}: it launches {recipe.address.engine}, expected one for {engine.name}: "
            f"{', '.join([*own, NONE])}"
        )
    return recipe


def launched(engine: Engine, recipe: Recipe | None, changes: Mapping[str, Any]) -> Engine:
    """The engine as a recipe launches it with some settings changed.

    Raises:
        InputError: a value that a setting cannot have.
    """
    if recipe is not None:
        engine = applied(engine, recipe.settings)
    return _checked(engine, changes) if changes else engine


def launch(
    deployment: Deployment,
    mtp: bool,
    name: str | None,
    changes: RecipeSet = (),
    date: str | None = None,
    image: str | None = None,
) -> Deployment:
    """A deployment whose engine has its own settings, launched by a recipe.

    Args:
        deployment: its engine as the profile states it.
        mtp: whether drafts are made.
        name: of a recipe, or its path, or ``none``; None: by the rule, see :func:`resolve_recipe`. An engine of the
            user, which is not the shipped one, has no recipe by rule.
        changes: settings over those of the recipe.
        date: ISO day of the run.
        image: engine version of the run.

    Raises:
        InputError: no such recipe, one of another engine, or a setting or value that there is not.
    """
    own, pairs = deployment.engine, settings_of(changes)
    recipe: Recipe | None = None
    if name is None:
        recipe = _by_rule(deployment, own, mtp, date, image)
    elif name.lower() != NONE:
        recipe = named_recipe(name, own)
    said = Launch(
        recipe=None if recipe is None else recipe.name,
        by_rule=name is None,
        changes=pairs,
        own=own,
        date=date,
        image=image,
    )
    return deployment.model_copy(update={"engine": launched(own, recipe, pairs), "launch": said})


def relaunched(deployment: Deployment, mtp: bool) -> Deployment:
    """The same deployment with the recipe that its rule chooses with drafts or without; a named recipe stays."""
    said = deployment.launch
    if not said.by_rule or said.own is None:
        return deployment
    recipe = _by_rule(deployment, said.own, mtp, said.date, said.image, said.among)
    if (None if recipe is None else recipe.name) == said.recipe:
        return deployment
    again = said.model_copy(update={"recipe": None if recipe is None else recipe.name})
    return deployment.model_copy(update={"engine": launched(said.own, recipe, said.changes), "launch": again})


def as_fitted(deployment: Deployment, recipes: Sequence[str], mtp: bool) -> Deployment:
    """The same deployment with the recipe of the runs that a calibration was fitted to, where nobody named one.

    Args:
        deployment: launched by its rule.
        recipes: of those runs; none: the rule stands.
        mtp: whether drafts are made.
    """
    if deployment.launch.among == tuple(recipes) or not deployment.launch.by_rule:
        return deployment
    said = deployment.launch.model_copy(update={"among": tuple(recipes)})
    return relaunched(deployment.model_copy(update={"launch": said}), mtp)


def _by_rule(
    deployment: Deployment,
    own: Engine,
    mtp: bool,
    date: str | None = None,
    image: str | None = None,
    among: Sequence[str] = (),
) -> Recipe | None:
    """What :func:`resolve_recipe` says of the shipped engine; of a user's own nothing."""
    if own.name not in names("engine") or own != _shipped_engine(own.name):
        return None
    run = own.name, deployment.hardware, deployment.weights.precision, mtp
    if date is None and image is None:
        found = _best_of((recipe for recipe in _shipped() if recipe.name in among), *run)
        if found is not None:
            return found
    return resolve_recipe(*run, date, image)


def settings_of(changes: RecipeSet) -> dict[str, Any]:
    """Settings by name, from a mapping or from ``key=value`` each.

    Raises:
        InputError: no ``key=value``, no such setting, or one twice.
    """
    pairs: list[tuple[str, Any]] = []
    if isinstance(changes, Mapping):
        pairs = [(str(key), value) for key, value in changes.items()]
    elif isinstance(changes, str):
        raise InputError(f"--recipe-set: expected a mapping or a list of KEY=VALUE, found {brief(changes)}")
    else:
        for text in changes:
            key, mark, value = str(text).partition("=")
            if not mark or not key.strip() or not value.strip():
                raise InputError(f"--recipe-set: expected KEY=VALUE such as chunk_tokens=8192, found {brief(text)}")
            pairs.append((key.strip(), _value(value.strip())))
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key not in Settings.model_fields:
            raise InputError(f"--recipe-set: {unknown_name('setting', key, Settings.model_fields)}")
        if key in out:
            raise InputError(f"--recipe-set: {key} is set twice, expected once")
        out[key] = value
    return out


def _value(text: str) -> Any:
    if text.lower() in SWITCHES:
        return SWITCHES[text.lower()]
    try:
        number = parse_number(text)
    except ValueError:
        return text.lower()
    return int(number) if float(number).is_integer() else number


def _checked(engine: Engine, pairs: Mapping[str, Any]) -> Engine:
    """The engine with some settings changed; the pair of polls may be completed by what it has."""
    whole = dict(pairs)
    for key in ("poll_steps_many", "many_clients"):
        if key not in whole and {"poll_steps_many", "many_clients"} & whole.keys():
            whole[key] = getattr(engine, key)
    try:
        settings = Settings.model_validate(whole, strict=True)
    except ValidationError as fault:
        lines = []
        for error in fault.errors(include_url=False):
            key = str(error["loc"][0]) if error["loc"] else ""
            message = error["msg"].removeprefix("Value error, ")
            found = f", found {brief(error['input'])}" if key else ""
            lines.append(f"--recipe-set{f' {key}' if key else ''}: {message[0].lower()}{message[1:]}{found}")
        raise InputError("\n".join(lines)) from None
    odd = [] if current().implausible else implausible(settings, whole)
    if odd:
        raise InputError("\n".join(f"--recipe-set {path[0]}: {text}" for path, text in odd))
    return applied(engine, settings)
