"""Quantisation as configurations state it: which format a module has. One function per method of quantisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.errors import InputError, brief, unknown_name
from simulator.facts.importing.keys import Keys
from simulator.facts.importing.modules import spellings
from simulator.facts.importing.patterns import Modules

KEPT = ("modules_to_not_convert", "ignored_layers", "ignore", "exclude_modules", "exclude")
"""Keys of the list of modules that stay as they were."""


@dataclass(frozen=True)
class Scheme:
    """Formats by module: the first entry that means a module; the modules of ``kept`` stay in BF16.

    Attributes:
        formats: modules and their format, in order.
        kept: modules in BF16.
        source: file and key.
        head: whether the lm_head is quantised unless it is kept.
        weight_only: whether activations are 16 bits wide.
    """

    formats: Sequence[tuple[Modules, str]]
    kept: Modules
    source: str
    head: bool = False
    weight_only: bool = False

    def format_of(self, *names: str) -> str:
        """Format of the module that has any of these names."""
        every = [one for name in names for one in spellings(name)]
        if any(one in self.kept for one in every):
            return "bf16"
        return next((fmt for modules, fmt in self.formats if any(one in modules for one in every)), "bf16")


def scheme(found: Keys) -> Scheme:
    """The scheme that ``quantization_config`` states, or ``quantization`` of ``hf_quant_config.json``.

    Raises:
        InputError: a method or a number format that is not known.
    """
    method = found.text("quant_method") or ("modelopt" if "quant_algo" in found.raw else None)
    if method is None:
        raise InputError(f"{found.file}: {found.path('quant_method')}: missing; expected one of {', '.join(METHODS)}")
    if method.lower() not in METHODS:
        raise unknown_name(f"{found.file}: {found.path('quant_method')}", method, METHODS)
    return METHODS[method.lower()](found)


def _everything(found: Keys, fmt: str, head: bool = False) -> Scheme:
    return Scheme([(Modules(["*"], found.file), fmt)], _kept(found), found.inside.rstrip("."), head)


def _kept(found: Keys) -> Modules:
    key = found.first(*KEPT)
    entries = [] if key is None else found.raw[key]
    if not isinstance(entries, list) or not all(isinstance(one, str) for one in entries):
        found.refuse(str(key), "a list of names of modules")
    return Modules(entries, f"{found.file}: {found.path(str(key))}")


def _fp8(found: Keys) -> Scheme:
    return _everything(found, "fp8")


def _mxfp4(found: Keys) -> Scheme:
    return replace(_everything(found, "mxfp4"), weight_only=True)


def _integers(found: Keys) -> Scheme:
    bits = found.needed("bits", "w_bit", "wbits")
    return _everything(found, integer(bits.value, f"{found.file}: {bits.source}"))


def _compressed(found: Keys) -> Scheme:
    groups = found.object("config_groups")
    formats = []
    for name in () if groups is None else groups.raw:
        assert groups is not None
        group = groups.object(name)
        weights = None if group is None else group.object("weights")
        if group is None or weights is None:
            continue
        targets = group.value("targets")
        if not isinstance(targets, list) or not all(isinstance(one, str) for one in targets):
            group.refuse("targets", "a list of modules")
        everywhere = ["*" if one in ("Linear", "linear") else one for one in targets]
        formats.append((Modules(everywhere, f"{found.file}: {group.path('targets')}"), number_format(weights)))
    return Scheme(formats, _kept(found), found.inside.rstrip("."), head=True)


def number_format(weights: Keys) -> str:
    """The format of quantised weights, from bits, type and group."""
    bits, kind = weights.needed("num_bits").value, weights.text("type") or "int"
    if (bits, kind) == (8, "float"):
        return "fp8"
    if (bits, kind) == (4, "float"):
        group = weights.whole("group_size")
        return "mxfp4" if group is not None and group.value == 32 else "nvfp4"
    return integer(bits, f"{weights.file}: {weights.path('num_bits')}")


def integer(bits: int, where: str) -> str:
    """The format of integer weights.

    Raises:
        InputError: other than 4 bits.
    """
    if bits != 4:
        raise InputError(f"{where}: expected integers of 4 bits or floats of 4 or 8, found integers of {bits} bits")
    return "int4"


ALGORITHMS = {
    "FP8": "fp8",
    "FP8_PB_WO": "fp8",
    "FP8_PER_CHANNEL_PER_TOKEN": "fp8",
    "NVFP4": "nvfp4",
    "NVFP4_AWQ": "nvfp4",
    "W4A8_NVFP4_FP8": "nvfp4",
    "MXFP4": "mxfp4",
    "W4A8_MXFP4_FP8": "mxfp4",
    "W4A16_AWQ": "int4",
    "W4A8_AWQ": "int4",
}
"""Names of ModelOpt -> format."""
MIXED = "MIXED_PRECISION"


def _modelopt(found: Keys) -> Scheme:
    algorithm = found.text("quant_algo")
    if algorithm is None:
        return _compressed(found)
    if algorithm.upper() != MIXED:
        return _everything(found, _algorithm(algorithm, found, "quant_algo"), head=True)
    layers = found.object("quantized_layers")
    if layers is None:
        found.refuse("quantized_layers", "the format of each module")
    formats: dict[str, list[str]] = {}
    for name in layers.raw:
        one = layers.object(name)
        fmt = _algorithm(str(None if one is None else one.value("quant_algo")), found, f"quantized_layers.{name}")
        formats.setdefault(fmt, []).append(name)
    pairs = [(Modules(names, found.file), fmt) for fmt, names in formats.items()]
    return Scheme(pairs, _kept(found), found.inside.rstrip("."), head=True)


def _algorithm(name: str, found: Keys, key: str) -> str:
    if name.upper() not in ALGORITHMS:
        raise unknown_name(f"{found.file}: {found.path(key)}", name, ALGORITHMS)
    return ALGORITHMS[name.upper()]


QUARK = {"fp4": "mxfp4", "fp8_e4m3": "fp8", "fp8_e5m2": "fp8", "int4": "int4", "uint4": "int4", "mx": "mxfp4"}
"""Number types of Quark -> format."""


def _quark(found: Keys) -> Scheme:
    everywhere, layers = found.object("global_quant_config"), found.object("layer_quant_config")
    formats = []
    for name in () if layers is None else layers.raw:
        assert layers is not None
        own = layers.object(name)
        if own is not None:
            formats.append((Modules([name], found.file), _quark_format(own)))
    if everywhere is not None:
        formats.append((Modules(["*"], found.file), _quark_format(everywhere)))
    return Scheme(formats, _kept(found), found.inside.rstrip("."), head=True)


def _quark_format(settings: Keys) -> str:
    stated: Any = settings.value("weight")
    weight = stated[-1] if isinstance(stated, list) and stated else stated
    if weight is None:
        return "bf16"
    kind = weight.get("dtype") if isinstance(weight, Mapping) else weight
    if not isinstance(kind, str) or kind.lower() not in QUARK:
        known = ", ".join(QUARK)
        raise InputError(
            f"{settings.file}: {settings.path('weight.dtype')}: expected one of {known}, found {brief(kind)}"
        )
    return QUARK[kind.lower()]


METHODS: Mapping[str, Callable[[Keys], Scheme]] = {
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "mxfp4": _mxfp4,
    "compressed-tensors": _compressed,
    "modelopt": _modelopt,
    "modelopt_fp4": _modelopt,
    "quark": _quark,
    "awq": _integers,
    "gptq": _integers,
}
"""``quant_method`` -> how its keys are read."""
