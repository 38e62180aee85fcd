"""From a file or folder to the keys of the text model in it, and to the name of its repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import InputError
from simulator.facts.importing.keys import Keys
from simulator.files.json_reading import parse_json_object
from simulator.files.paths import user_path
from simulator.files.reading import decoded, read_bytes

CONFIG, QUANT = "config.json", "hf_quant_config.json"
TEXT_MODELS = ("text_config", "language_config", "llm_config")
"""Where multimodal configurations have the language model."""


@dataclass(frozen=True)
class Files:
    """What is read of a model.

    Attributes:
        text: keys of its text model.
        outer: keys of the whole file.
        quant: keys of a separate file about quantisation.
        repository: that it seems to be from.
    """

    text: Keys
    outer: Keys
    quant: Keys | None
    repository: str

    @property
    def multimodal(self) -> bool:
        """Whether the text model is a part of the file."""
        return self.text is not self.outer


def read_files(path: str, quant: str | None = None) -> Files:
    """Read a configuration.

    Args:
        path: of ``config.json``, or of the folder that it is in.
        quant: path of ``hf_quant_config.json``; None: the one in the same folder, if there is one.

    Raises:
        InputError: no such file, or one that is no JSON object.
    """
    place = user_path("import-model", path)
    folder = place if place.is_dir() else None
    if folder is not None:
        place = folder / CONFIG
        if not place.is_file():
            raise InputError(f"{path}: found no {CONFIG} in this folder")
    elif not place.is_file():
        raise InputError(f"{path}: no such file; expected {CONFIG} of a model, or the folder that it is in")
    beside = place.with_name(QUANT if place.name == CONFIG else place.name.replace(CONFIG, QUANT))
    if quant is None and beside != place and beside.is_file():
        quant = str(beside)
    outer = _keys(place, str(place) if folder is not None else path)
    text = outer
    for name in TEXT_MODELS:
        found = outer.object(name) if isinstance(outer.raw.get(name), dict) else None
        if found is not None and "hidden_size" in found.raw:
            text = found
            break
    return Files(
        text=text,
        outer=outer,
        quant=None if quant is None else _keys(user_path("--quant", quant), quant),
        repository=repository_of(place),
    )


def _keys(place: Path, named: str) -> Keys:
    if not place.is_file():
        raise InputError(f"{named}: no such file")
    text = decoded(read_bytes(place, named), named)
    return Keys(parse_json_object(text, named, finite=False), named)


def repository_of(place: Path) -> str:
    """The repository of a configuration, as far as the names of file and folders tell.

    Example:
        >>> repository_of(Path("configs/Qwen--Qwen3-32B.config.json"))
        'Qwen/Qwen3-32B'
        >>> repository_of(Path("hub/models--openai--gpt-oss-20b/snapshots/8b193b0/config.json"))
        'openai/gpt-oss-20b'
        >>> repository_of(Path("models/Mine/config.json"))
        'Mine'
    """
    stem = re.sub(r"[._-]?config\.json$|\.json$", "", place.name, flags=re.IGNORECASE)
    if not stem:
        parts = place.absolute().parts[:-1]
        cached = next((part for part in reversed(parts) if part.startswith("models--")), None)
        stem = cached.removeprefix("models--") if cached else parts[-1] if parts else ""
    return stem.replace("--", "/", 1) or "model"


def name_of(repository: str) -> str:
    """The name of a profile: the last part of a repository in small letters.

    Example:
        >>> name_of("deepseek-ai/DeepSeek-R1")
        'deepseek-r1'
    """
    last = re.sub(r"[^a-z0-9._-]+", "-", repository.rsplit("/", 1)[-1].lower()).lstrip("._-")
    return last or "model"
