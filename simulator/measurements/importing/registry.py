"""The importers there are, and the one that knows a file."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Protocol, cast

from simulator.errors import InputError, unknown_name
from simulator.measurements import importers
from simulator.measurements.importing.content import Content
from simulator.measurements.importing.taken import Record

SHOWN = 12
TRACE_KEYS = {"timestamp", "input_length", "output_length"}
HINTS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"timestamp", "contexttokens", "generatedtokens"}), "a trace of requests: for simulate --trace"),
    (frozenset({"timestamp", "input_length", "output_length"}), "a trace of requests: for simulate --trace"),
    (frozenset({"timestamp", "request tokens", "response tokens"}), "a trace of requests: for simulate --trace"),
    (frozenset({"metadata", "metrics"}), "one request a line, as aiperf's profile_export.jsonl: its summary is needed"),
    (frozenset({"ttft_s", "error_code"}), "LLMPerf's single requests: its ..._summary.json is needed"),
    (frozenset({"architectures", "model_type"}), "a model's configuration: for --model or import-model"),
    (frozenset({"checkpoints", "layers"}), "a model profile: for --model"),
    (frozenset({"meta", "rows"}), "a result of mtpsim itself"),
)
"""Keys or columns -> what else a file is."""


class Importer(Protocol):
    """A module of :mod:`simulator.measurements.importers`."""

    NAME: str
    """The tool and its file."""
    NEEDS: str
    """What a file must hold to be known."""

    def recognises(self, head: Content) -> bool:
        """Whether a file is this tool's."""
        ...

    def read(self, content: Content) -> list[Record]:
        """What its records hold."""
        ...


@functools.cache
def all_importers() -> Mapping[str, Importer]:
    """Name of the module -> importer; a file in that folder is enough to be one."""
    base = importers.__name__
    found = sorted(module.name for module in pkgutil.iter_modules(importers.__path__))
    return {name: cast(Importer, importlib.import_module(f"{base}.{name}")) for name in found}


def claims(content: Content) -> list[str]:
    """Names of the importers that know a file.

    Raises:
        InputError: JSON or the like that cannot be read.
    """
    return [name for name, importer in all_importers().items() if importer.recognises(content)]


def importer_of(content: Content, form: str | None = None) -> str | None:
    """The name of the one importer of a file, or None if none knows it.

    Args:
        content: of the file.
        form: the importer that the user names.

    Raises:
        InputError: several know it and none is named, or one is named that there is not.
    """
    if form is not None:
        if form not in all_importers():
            raise unknown_name("format", form, all_importers())
        return form
    found = claims(content)
    if len(found) > 1:
        names = " and ".join(f"{all_importers()[one].NAME} (--set format={one})" for one in found)
        raise InputError(f"{content.name}: reads as {names}: expected one; say which")
    return found[0] if found else None


def unknown(content: Content) -> InputError:
    """What to say of a file that no importer knows: what was recognised, and what a file needs."""
    if content.is_json:
        keys = sorted(content.keys)
        shown = ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")
        what = f"JSON with the keys {shown}" if keys else "JSON without an object in it"
    elif content.header:
        what = f"a table with the columns {', '.join(content.header[:SHOWN])}"
    elif content.document:
        what = f"YAML with the keys {', '.join(map(str, list(content.document)[:SHOWN]))}"
    else:
        line = content.first_line
        what = f"a text that begins with {line[:40]!r}" if line else "nothing"
    names = {key.lower() for key in map(str, content.keys)} | set(content.header)
    hint = next((text for marks, text in HINTS if marks <= names), None)
    known = "; ".join(f"{one.NAME}: {one.NEEDS}" for name, one in all_importers().items() if name != "mlperf")
    return InputError(
        f"{content.name}: no result file that is known: found {what}{f' ({hint})' if hint else ''}; expected one of: "
        f"{known}; or --set format=NAME ({', '.join(all_importers())})"
    )
