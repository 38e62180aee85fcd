"""``import_model``: a configuration in, a checked model profile out, with what it adds up to."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.facts.figures import figures
from simulator.facts.importing.not_understood import described, refuse_decisive
from simulator.facts.importing.profile import Profile, profile_of
from simulator.facts.importing.reading import read_files
from simulator.facts.model import Model
from simulator.facts.reading import validate
from simulator.files.kinds import MODEL
from simulator.files.paths import user_path
from simulator.files.telling import tell
from simulator.files.yaml_writing import write_yaml
from simulator.results.table import Result, Rows

KV_FORMAT = "bf16"
"""Format in which the bytes of cached tokens are told; other formats scale them."""


@dataclass(frozen=True)
class Imported(Result):
    """A model profile made from a configuration.

    Attributes:
        meta: which files it was made from.
        model: the profile, checked.
        content: the same as a YAML file has it.
        not_understood: key, value, why and how much it can matter, of all that the profile does not hold.
        state_dtype: number format of the recurrent state.
    """

    meta: Mapping[str, Any]
    model: Model
    content: Mapping[str, Any]
    not_understood: tuple[Mapping[str, str], ...]
    state_dtype: str

    def figures(self) -> dict[str, Any]:
        """What the profile adds up to: parameters, and bytes of weights, cache and state."""
        return figures(self.model, self.state_dtype, KV_FORMAT)

    def records(self) -> Rows:
        """Every number of the profile with the key that it comes from, then what they add up to."""
        said = self.content["sources"]
        rows = [
            {"field": field, "value": _at(self.content, field), "unit": "", "source": said[field]} for field in said
        ]
        source = "computed from the shape"
        for field, value in self.figures().items():
            unit = "B" if "bytes" in field else ""
            for name, one in value.items() if isinstance(value, Mapping) else (("", value),):
                if not isinstance(one, str):
                    rows.append({"field": f"{field}.{name}".rstrip("."), "value": one, "unit": unit, "source": source})
        return rows

    def document(self) -> Mapping[str, Any]:
        """The figures, what was not understood, the profile, and the rows."""
        return {
            "meta": self.meta,
            **self.figures(),
            "kv_format": KV_FORMAT,
            "state_format": self.state_dtype,
            "not_understood": self.not_understood,
            "profile": self.content,
            "rows": self.records(),
        }

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the profile as YAML, whole or not at all, in place of an earlier model profile at most.

        Raises:
            InputError: the path cannot be written, does not end in .yaml, or another kind of file stands there.
        """
        write_yaml(self.content, user_path("-o", os.fspath(path)), MODEL)


def import_model(
    path: str, quant: str | None = None, architecture: str | None = None, ignore: Collection[str] = ()
) -> Imported:
    """Make a model profile from a Hugging Face configuration.

    Args:
        path: of ``config.json``, or of the folder that it is in.
        quant: path of ``hf_quant_config.json``; None: the one in the same folder, if there is one.
        architecture: ``model_type`` to read it as, where its own is not known.
        ignore: keys that change nothing, though their names do not say so.

    Raises:
        InputError: no such file, no JSON, an architecture that is not known, a key whose value is none that it can
            have, or keys that are not known and can change the shape.
    """
    files = read_files(path, quant)
    made = profile_of(files, architecture, ignore)
    refuse_decisive(made.items, path)
    meta = {"config": path, "quant": None if files.quant is None else files.quant.file, "repository": files.repository}
    return Imported(
        meta={**meta, "architecture": architecture, "ignore": [*ignore]},
        model=checked(made, path),
        content=made.content,
        not_understood=tuple(described(made.items)),
        state_dtype=made.state_dtype,
    )


def imported_mapping(path: str) -> dict[str, Any]:
    """The profile of a configuration, for :func:`simulator.facts.reading.load_model`; what is not in it is told once.

    Raises:
        InputError: as :func:`import_model`.
    """
    found = import_model(path)
    if found.not_understood and path not in _told:
        _told.add(path)
        keys = ", ".join(item["key"] for item in found.not_understood)
        tell(f"{path}: not in the profile: {keys}; mtpsim import-model says how much that can matter")
    return dict(found.content)


_told: set[str] = set()
"""Configurations of which it was told what their profiles do not hold."""


def checked(made: Profile, path: str) -> Model:
    """The model behind a profile.

    Raises:
        InputError: numbers that cannot be, or implausible ones.
    """
    return validate(Model, made.content, f"model profile of {path}")


def _at(content: Any, field: str) -> Any:
    """The value at a path, entries of lists numbered from 1."""
    for part in field.split("."):
        content = content[int(part) - 1] if isinstance(content, list) else content[part]
    return content
