"""Strict YAML -> frozen specs. Every fault of a file is reported at once, with the file and the key path.

A name is looked up among the shipped profiles without case, spaces and punctuation, of hardware with the vendor
too ("NVIDIA H200" is h200) and by the aliases of its profile, of a model by the repositories of its checkpoints too
("Qwen/Qwen3.5-397B-A17B-FP8"); anything else that ends in ``.yaml`` or ``.yml`` or contains a path separator is read as
the user's own file. A model may also be the ``config.json`` of a repository, or a folder with one in it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from simulator.errors import InputError, brief, unknown_name
from simulator.facts.engine import Engine
from simulator.facts.former import FormerModel, is_former
from simulator.facts.hardware import Hardware
from simulator.facts.model import Model
from simulator.facts.naming import Named, index, written
from simulator.facts.plausible import implausible
from simulator.facts.quantities import Spec
from simulator.facts.recipe import Recipe
from simulator.files.limits import current
from simulator.files.paths import takes_files, user_path
from simulator.files.yaml_reading import SHOWN, line_of, read_yaml, shown_key

S = TypeVar("S", bound=Spec)

CONFIG = "config.json"
"""The configuration in a repository of a model."""

VENDORS = frozenset(get_args(Hardware.model_fields["vendor"].annotation))

ROOMS: dict[str, tuple[str, str]] = {
    "hardware": ("hardware_profiles", ""),
    "model": ("simulator", "facts/models"),
    "engine": ("simulator", "facts/engines"),
    "recipe": ("simulator", "facts/recipes"),
    "calibration": ("simulator", "fitting/calibrations"),
    "acceptance": ("simulator", "speculation/profiles"),
}
"""Kind of profile -> (package, folder) that ships it."""


def room(kind: str) -> Traversable:
    """The folder that ships the profiles of one kind."""
    package, folder = ROOMS[kind]
    base = resources.files(package)
    return base.joinpath(folder) if folder else base


@functools.cache
def names(kind: str) -> tuple[str, ...]:
    """Names of the shipped profiles of one kind, sorted."""
    return tuple(sorted(p.name.removesuffix(".yaml") for p in room(kind).iterdir() if p.name.endswith(".yaml")))


def is_path(name: str) -> bool:
    """Whether a profile argument is written as a file of the user."""
    return name.endswith((".yaml", ".yml", ".json")) or "/" in name or "\\" in name


def locate(kind: str, name: str) -> Traversable | Path:
    """The file behind a profile name or path.

    Raises:
        InputError: no such shipped profile (nearest match offered), or no such file.
    """
    known = None if is_path(name) and kind != "model" else shipped_name(kind, name)
    if is_path(name):
        path = user_path(f"{kind} profile {name}", name)
        if not path.is_file() and known is not None:
            return room(kind).joinpath(f"{known}.yaml")
        if not path.is_file():
            raise InputError(f"{kind} profile {name}: no such file{_or_repository(kind, name)}")
        return path
    if known is None:
        raise unknown_name(kind, name, names(kind))
    return room(kind).joinpath(f"{known}.yaml")


def _or_repository(kind: str, name: str) -> str:
    """What else a path may be meant as, where it may be a repository."""
    if kind != "model" or name.count("/") != 1 or name.endswith((".yaml", ".yml", ".json")):
        return ""
    return ", and no shipped model is of this repository; mtpsim import-model makes a profile of its config.json"


@functools.cache
def shipped_name(kind: str, name: str) -> str | None:
    """The shipped profile meant by a name; None: none.

    Words without a digit before the name of hardware are those of a vendor or product line, but not of another vendor.
    """
    if name.lower() in names(kind):
        return name.lower()
    if kind == "model":
        meant = named_model(name)
        return None if meant is None else meant.profile
    words, plain = re.findall(r"[a-z0-9]+", name.lower()), _written(kind)
    for i in range(len(words) if kind == "hardware" else 1):
        before, found = words[:i], plain.get("".join(words[i:]), [])
        if any(c.isdigit() for word in before for c in word):
            break
        if len(found) == 1 and not ({*before} & VENDORS - {load_hardware(found[0]).vendor} if before else ()):
            return found[0]
    return None


def named_model(name: str) -> Named | None:
    """The shipped model, and its checkpoint, that a name or repository means; None: none.

    Example:
        >>> named_model("qwen/qwen3.5-397b-a17b-fp8")
        Named(profile='qwen3.5-397b-a17b', checkpoint='fp8')
    """
    return Named(name.lower()) if name.lower() in names("model") else _models().get(written(name))


@functools.cache
def _models() -> dict[str, Named]:
    return index({one: room("model").joinpath(f"{one}.yaml").read_text(encoding="utf-8") for one in names("model")})


@functools.cache
def _written(kind: str) -> dict[str, list[str]]:
    """Letters and digits of every name and alias -> the shipped profiles of which it is one."""
    found: dict[str, list[str]] = {}
    for one in names(kind):
        aliased = ALIASED.get(kind)
        called = (one, *(aliased(one).aliases if aliased else ()))
        for spelled in {written(name) for name in called}:
            found.setdefault(spelled, []).append(one)
    return found


def read_mapping(kind: str, name: str) -> dict[str, Any]:
    """The raw mapping of a profile file, or of the profile that the configuration of a model becomes.

    Raises:
        InputError: the file is missing, is not YAML, or is not a mapping; no right profile can be made of it.
    """
    if kind == "model" and is_configuration(name):
        from simulator.facts.importing.imported import imported_mapping

        return imported_mapping(name)
    return parse_mapping(locate(kind, name), f"{kind} profile {name}")


def is_configuration(name: str) -> bool:
    """Whether the name of a model means a ``config.json``, or a folder with one in it."""
    if name.endswith(".json"):
        return True
    if not takes_files():
        return False
    if name.endswith((".yaml", ".yml")) or (not is_path(name) and shipped_name("model", name) is not None):
        return False
    return (user_path(f"model profile {name}", name) / CONFIG).is_file()


def parse_mapping(path: Traversable | Path, label: str) -> dict[str, Any]:
    """Read a YAML file whose top level must be a mapping; ``label`` names it in errors."""
    return read_yaml(path, label)


def validate(spec: type[S], raw: dict[str, Any], label: str) -> S:
    """Turn a raw mapping into a frozen spec.

    Raises:
        InputError: lists every fault with its line and key path, what was found and what was expected; or every number
            outside its plausible range, unless ``--allow-implausible`` was given.
    """
    try:
        found = spec.model_validate(raw, context={"yaml": True}, strict=True)
    except ValidationError as fault:
        faults = [(_in_file(raw, error["loc"]), _fault_text(error)) for error in fault.errors(include_url=False)]
    else:
        faults = [] if current().implausible else implausible(found, raw)
        if not faults:
            return found
    raise_faults(raw, faults, label)
    raise AssertionError("pydantic refused without saying why")


def raise_faults(raw: dict[str, Any], faults: Sequence[tuple[tuple[Any, ...], str]], label: str) -> None:
    """Refuse a file for its faults, if there are any.

    Args:
        raw: as :func:`read_mapping` returned it, for the lines.
        faults: key path and sentence of each.
        label: what to call the file.

    Raises:
        InputError: with the line of each.
    """
    if not faults:
        return
    lines = [_fault_line(raw, path, text) for path, text in faults]
    more = [f"  ... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    raise InputError("\n".join([f"{label}:", *lines[:SHOWN], *more]))


def _in_file(raw: Any, path: tuple[Any, ...]) -> tuple[Any, ...]:
    """The keys of a path that the file has: without the kinds of mappings, which pydantic puts into it."""
    out: list[Any] = []
    entered = False
    for part in path:
        if not entered and isinstance(raw, Mapping) and raw.get("kind") == part:
            entered = True
            continue
        entered = False
        out.append(part)
        if isinstance(raw, Mapping):
            raw = raw.get(part)
        else:
            raw = raw[part] if isinstance(raw, list) and isinstance(part, int) and part < len(raw) else None
    return tuple(out)


def _fault_line(raw: Any, path: tuple[Any, ...], text: str) -> str:
    line = line_of(raw, path)
    keys = ".".join(map(shown_key, path)) or "(top level)"
    return f"  {f'line {line}: ' if line is not None else ''}{keys}: {text}"


def _fault_text(error: Any) -> str:
    message = error["msg"].removeprefix("Value error, ")
    match error["type"]:
        case "missing":
            return "missing; it is required"
        case "extra_forbidden":
            return "unknown key"
        case "value_error":
            return str(message)
        case "union_tag_not_found":
            return "kind is missing; it is required"
        case "union_tag_invalid":
            kinds = str(error["ctx"]["expected_tags"]).replace("'", "")
            return f"unknown kind {brief(error['ctx']['tag'])}; expected one of {kinds}"
        case _:
            return f"{message[0].lower()}{message[1:]}, found {brief(error['input'])}"


def load_hardware(name: str) -> Hardware:
    """Hardware profile by name or path."""
    return _profile("hardware", Hardware, name)


def load_model(name: str) -> Model:
    """Model profile by name or path."""
    return _profile("model", Model, name)


def load_engine(name: str) -> Engine:
    """Engine profile by name or path."""
    return _profile("engine", Engine, name)


def load_recipe(name: str) -> Recipe:
    """Recipe by name or path."""
    return _profile("recipe", Recipe, name)


def _profile(kind: str, spec: type[S], name: str) -> S:
    """A profile as it is now; one that ships does not change while a program runs, and is read once."""
    return _shipped_profile(kind, spec, name) if name in names(kind) else _read_profile(kind, spec, name)


def _read_profile(kind: str, spec: type[S], name: str) -> S:
    raw, label = read_mapping(kind, name), f"{kind} profile {name}"
    if kind == "model" and is_former(raw):
        validate(FormerModel, raw, label)  # faults by the keys that the file has
    return validate(spec, raw, label)


@functools.cache
def _shipped_profile(kind: str, spec: type[S], name: str) -> S:
    return _read_profile(kind, spec, name)


ALIASED: dict[str, Callable[[str], Hardware | Engine]] = {"hardware": load_hardware, "engine": load_engine}
"""Kinds of which a profile has other names."""
