"""What profiles there are, and every number of one with its unit, meaning and source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, get_args

from simulator.cost.calibration import Calibration, load_calibration
from simulator.cost.parameters import registry
from simulator.cost.priors import KernelPriors, layered
from simulator.cost.priors import shipped as shipped_priors
from simulator.errors import unknown_name
from simulator.facts.engine import Engine
from simulator.facts.hardware import Hardware
from simulator.facts.memory import kv_bytes_per_token, state_bytes
from simulator.facts.model import Model
from simulator.facts.quantities import Spec
from simulator.facts.reading import ROOMS, load_engine, load_hardware, load_model, load_recipe, names, read_mapping
from simulator.facts.recipe import Recipe
from simulator.facts.weights import active_parameters, draft_parameters, total_checkpoint_bytes, total_parameters
from simulator.results.table import ResultTable
from simulator.speculation.published import AcceptanceProfile, load_acceptance, text_name
from simulator.units import GIGA, MEGA, TERA

Row = dict[str, Any]

PARAMETERS = "parameters"
"""The kind that is no folder of profiles but the one table of the cost model's parameters."""
PRIORS = "priors"
"""The kind whose names are those of accelerators: the same parameters as kernel tables have them."""

UNITS_OF_PLAIN_NUMBERS = {
    "chunk_tokens": "tokens",
    "poll_steps": "steps",
    "poll_steps_many": "steps",
    "many_clients": "clients",
    "max_running": "requests",
    "hidden": "channels",
    "layers": "layers",
    "count": "layers",
    "window": "tokens",
    "latent": "channels",
    "groups": "groups",
    "top_groups": "groups",
    "vocabulary": "tokens",
    "context_length": "tokens",
    "head_dim": "channels",
    "key_dim": "channels",
    "value_dim": "channels",
    "intermediate": "channels",
    "shared_intermediate": "channels",
    "conv_kernel": "tokens",
    "query_heads": "heads",
    "kv_heads": "heads",
    "key_heads": "heads",
    "value_heads": "heads",
    "experts": "experts",
    "top_k": "experts",
    "acceptance_length": "tokens/round",
    "left_out": "tokens/round",
    "low": "tokens/round",
    "high": "tokens/round",
    "noise": "log units",
    "errors": "fraction",
}
"""Unit of a number that stands alone, by its own key or by the one that it is under."""

LOADERS: dict[str, Callable[[str], Spec]] = {
    "hardware": load_hardware,
    "model": load_model,
    "engine": load_engine,
    "recipe": load_recipe,
    "acceptance": load_acceptance,
    "calibration": load_calibration,
}
assert LOADERS.keys() == ROOMS.keys()


def profiles(kind: str | None = None, name: str | None = None) -> ResultTable:
    """All shipped profiles, those of one kind, or every number of one with its unit and source.

    Args:
        kind: ``hardware``, ``model``, ``engine``, ``recipe``, ``acceptance``, ``calibration``, ``priors`` or
            ``parameters``; the plural is the same.
        name: of one profile, or the path of your own file, which is checked; of ``priors`` that of any accelerator.

    Raises:
        InputError: no such kind or profile, or a faulty file.

    Example:
        >>> from simulator import profiles
        >>> profiles("hardware").column("name")[:2]
        ['a100', 'b200']
    """
    rows = entries(kind) if name is None else numbers(kind or "", name)
    if name is None and kind is not None and _known(kind) == PARAMETERS:
        rows = parameters()
    return ResultTable({"kind": kind, "name": name}, tuple(rows))


def entries(kind: str | None = None) -> list[Row]:
    """Kind, name and one line on every shipped profile, of one kind or of all.

    Raises:
        InputError: no such kind.
    """
    kinds = [*LOADERS, PRIORS, PARAMETERS] if kind is None else [_known(kind)]
    rows = [
        {"kind": one, "name": name, "summary": summary(spec)} | (_launch(spec) if kind else {})
        for one in kinds
        if one in LOADERS
        for name in names(one)
        for spec in [LOADERS[one](name)]
    ]
    if PRIORS in kinds:
        rows += [_tables(name, priors, full=kind is not None) for name, priors in shipped_priors().items()]
    if PARAMETERS in kinds:
        text = f"prior, bounds and source of the {len(registry())} parameters of the cost model"
        rows.append({"kind": PARAMETERS, "name": "-", "summary": text})
    return rows


def parameters() -> list[Row]:
    """The parameters of the cost model: prior, standard deviation, bounds, unit, meaning, source."""
    return [asdict(parameter) for parameter in registry().values()]


def _tables(name: str, priors: KernelPriors, full: bool) -> Row:
    """Which kernel tables the priors of an accelerator come from."""
    files = [table.file for table in priors.tables]
    count = sum(fit.rows for fit in priors.fits)
    text = f"{len(priors.parameters)} parameters from {count} kernel times of {' and '.join(files)}"
    row = {"kind": PRIORS, "name": name, "summary": text}
    return row | ({"tables": ", ".join(files), "rows": count} if full else {})


def priors_of(hardware: str) -> list[Row]:
    """The parameters with the priors of an accelerator: name, value, unit, sd, scale, layer, kernels, source, meaning.

    ``layer`` says whose tables a value is from: of the ``accelerator`` itself, of another of the ``vendor``, or of none
    (``generic``); ``kernels`` is that accelerator.

    Args:
        hardware: profile name or path.
    """
    found = layered(load_hardware(hardware))
    return [
        {
            "name": name,
            "value": known.value,
            "unit": known.unit,
            "sd": known.sd,
            "scale": known.scale,
            "layer": found.layers[name],
            "kernels": found.givers.get(name, ""),
            "source": known.source,
            "meaning": known.meaning,
        }
        for name, known in found.known.items()
    ]


def numbers(kind: str, name: str) -> list[Row]:
    """Every entry of one profile: field, value, unit, meaning, source, note. The profile is checked first.

    Raises:
        InputError: no such kind or profile, or a faulty file.
    """
    kind = _known(kind)
    if kind == PRIORS:
        return priors_of(name)
    if kind == PARAMETERS:
        rows = [row for row in parameters() if row["name"] == name]
        if not rows:
            raise unknown_name("parameter", name, registry())
        return rows
    spec = LOADERS[kind](name)
    raw = read_mapping(kind, name)
    rows = _of_model(raw, spec) if isinstance(spec, Model) else list(_flatten(raw, type(spec)))
    if isinstance(spec, Recipe):
        flags = [row for row in rows if row["field"] == "launch"]
        rows = [row for row in rows if row not in flags]
        rows += [{**row, "value": flag} for row in flags for flag in spec.launch]
    return rows + [_row(field, *found) for field, found in _derived(spec).items()]


def _of_model(raw: dict[str, Any], spec: Model) -> list[Row]:
    """The entries of a model: layer groups by their number, and beside every number the key that it comes from."""
    apart = {"layers", "sources"} if isinstance(raw.get("layers"), list) else {"sources"}
    rows = list(_flatten({key: value for key, value in raw.items() if key not in apart}, type(spec)))
    if "layers" in apart:
        groups = {f"layers.{i}": group for i, group in enumerate(raw["layers"], start=1)}
        place = next(i for i, row in enumerate(rows) if row["field"].startswith("checkpoints."))
        rows[place:place] = [row for name, group in groups.items() for row in _flatten(group, None, name, spec.source)]
    keys = raw.get("sources", {})
    return [{**row, "note": f"key {keys[row['field']]}"} if row["field"] in keys else row for row in rows]


def summary(spec: Spec) -> str:
    """One line on a profile."""
    match spec:
        case Hardware():
            peaks = ", ".join(f"{k} {v / TERA:g}" for k, v in spec.peak_flops.model_dump().items() if v)
            return f"{spec.hbm_capacity / GIGA:g} GB at {spec.hbm_bandwidth / TERA:g} TB/s; TFLOP/s {peaks}"
        case Model():
            size = f"{total_parameters(spec) / GIGA:.1f} B parameters, {active_parameters(spec) / GIGA:.1f} B active"
            return f"{size}; checkpoints {', '.join(spec.checkpoints)}"
        case Engine():
            return f"{spec.policy}, chunks of {spec.chunk_tokens} tokens, {spec.kv_dtype} KV cache"
        case Recipe():
            return f"{address_text(spec)}: {settings_text(spec)}"
        case AcceptanceProfile():
            lengths = spec.acceptance_length
            found = f"{lengths[1]:g} to {lengths[len(lengths)]:g} tokens/round"
            return f"{spec.method} on {text_name(spec)}, depth 1 to {len(lengths)}: {found}"
        case Calibration():
            rows = sum(len(source.rows) for source in spec.data)
            return f"{len(spec.parameters)} parameters from {rows} rows" if rows else "nothing fitted: the priors"
        case _:
            return ""


def address_text(recipe: Recipe) -> str:
    """Which runs a recipe is for, in words."""
    a = recipe.address
    vendors = [f"other {a.vendor.upper()}" if a.hardware else a.vendor.upper()] if a.vendor else []
    parts = [a.engine]
    if a.hardware or vendors:
        parts.append(f"on {' and '.join(filter(None, (', '.join(a.hardware), *vendors)))}")
    parts += [", ".join(a.precision)] if a.precision else []
    parts += [{"on": "with MTP", "off": "without MTP"}[a.mtp]] if a.mtp != "any" else []
    parts += [f"from {a.since}"] if a.since else []
    parts += [f"or image {', '.join(a.images)}"] if a.images else []
    return " ".join(parts) + ("" if recipe.by_rule else " (only if named)")


def settings_text(recipe: Recipe) -> str:
    """What a recipe sets, in words."""
    stated = recipe.settings.stated()
    return ", ".join(f"{key} {_plain(value)}" for key, value in stated.items()) or "the engine's own settings"


def _plain(value: Any) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _launch(spec: Spec) -> Row:
    """What the list says of a recipe beside its summary."""
    if not isinstance(spec, Recipe):
        return {}
    return {"address": address_text(spec), "settings": settings_text(spec), "launch": " ".join(spec.launch)}


def _known(kind: str) -> str:
    """The kind meant by a word, singular or plural."""
    kinds = [*LOADERS, PRIORS, PARAMETERS]
    found = [one for one in kinds if kind.lower() in (one, f"{one}s")]
    if not found:
        raise unknown_name("kind of profile", kind, kinds)
    return found[0]


def _row(field: str, value: Any, unit: str = "", meaning: str = "", source: str = "", note: str = "") -> Row:
    return {"field": field, "value": value, "unit": unit, "meaning": meaning, "source": source, "note": note}


def _flatten(raw: Mapping[Any, Any], spec: Any, path: str = "", source: str = "") -> Iterator[Row]:
    """Rows of a mapping; what has no source of its own has that of the mapping around it."""
    source = str(raw.get("source", source))
    for key, value in raw.items():
        field = f"{path}.{key}" if path else str(key)
        declared = spec.model_fields.get(str(key)) if spec is not None else None
        meaning = (declared.description if declared is not None else None) or ""
        if isinstance(value, Mapping) and {"value", "unit"} <= value.keys():
            rest = [f"{k} {v}" for k, v in value.items() if k not in ("value", "unit", "source", "note")]
            note = "; ".join([*([str(value["note"])] if "note" in value else []), *rest])
            yield _row(field, value["value"], value["unit"], meaning, str(value.get("source", source)), note)
        elif isinstance(value, Mapping):
            below = _nested(declared.annotation) if declared is not None else None
            kinds = _kinds(declared.annotation) if declared is not None and below is None else {}
            for name, one in value.items() if kinds else ():
                yield from _flatten(one, kinds.get(one["kind"]), f"{field}.{name}", source)
            if not kinds:
                yield from _flatten(value, below, field, source)
        elif key != "source":
            yield _row(field, _short(value), _unit(value, str(key), path), meaning, source)


def _short(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if value and all(isinstance(v, Mapping) and "count" in v for v in value):
        return ", ".join(f"{v['count']} x {' + '.join(str(v[k]) for k in v if k != 'count')}" for v in value)
    plain = len(value) <= 8 and not any(isinstance(v, list | dict) for v in value)
    return (", ".join(map(str, value)) or "none") if plain else f"{len(value)} entries"


def _unit(value: Any, key: str, path: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    parents = [part for part in reversed(path.split(".")) if part in UNITS_OF_PLAIN_NUMBERS]
    own = UNITS_OF_PLAIN_NUMBERS.get(key)
    return own or (UNITS_OF_PLAIN_NUMBERS[parents[0]] if parents else "count")


def _nested(annotation: Any) -> Any:
    """The spec behind an annotation such as ``Checkpoint | None`` or ``Annotated[...]``; None for a plain mapping."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return annotation
    found = [one for one in map(_nested, get_args(annotation)) if one is not None]
    return None if not found or getattr(annotation, "__origin__", None) is dict else found[0]


def _kinds(annotation: Any) -> dict[str, Any]:
    """The specs by kind that the values of a mapping may be; empty where the values are not told apart by a kind."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return {annotation.model_fields["kind"].default: annotation} if "kind" in annotation.model_fields else {}
    return {kind: spec for part in get_args(annotation) for kind, spec in _kinds(part).items()}


def _derived(spec: Spec) -> dict[str, tuple[Any, ...]]:
    if not isinstance(spec, Model):
        return {}
    source = "computed from the shape"
    out: dict[str, tuple[Any, ...]] = {
        "derived.parameters": (total_parameters(spec) / GIGA, "10^9", "without the MTP layers", source),
        "derived.active_parameters": (active_parameters(spec) / GIGA, "10^9", "that one token multiplies with", source),
        "derived.mtp_parameters": (sum(draft_parameters(spec).values()) / GIGA, "10^9", "of the MTP layers", source),
        "derived.kv_per_token.bf16": (kv_bytes_per_token(spec, "bf16"), "B", "KV cache of one token", source),
        "derived.state.bf16": (state_bytes(spec, "bf16") / MEGA, "MB", "recurrent state of one request", source),
    }
    for name, checkpoint in spec.checkpoints.items():
        size = total_checkpoint_bytes(spec, checkpoint) / GIGA
        out[f"derived.checkpoint.{name}"] = (size, "GB", "stored, MTP layers included", source)
    return out
