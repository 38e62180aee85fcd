"""Which shipped model, and which of its checkpoints, a name means as users, repositories and measured files write it.

Found without loading the profiles: a name must not cost the reading of every model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple


class Named(NamedTuple):
    """A shipped model, and the checkpoint that the name is that of; None: it is the name of the model alone."""

    profile: str
    checkpoint: str | None = None


_ALIASES = re.compile(r"(?ms)^aliases:(.*?)(?=^\w)")
_CHECKPOINTS = re.compile(r"(?ms)^checkpoints:(.*?)(?=^\w|\Z)")
_REPOSITORY = re.compile(r"(?m)^  ([\w.-]+):\s*(?:\{\s*)?repository:\s*[\"']?([^\s,}\"']+)")


def written(name: str) -> str:
    """The letters and digits of a name, small.

    Example:
        >>> written("zai-org/GLM-5.1") == written("ZAI-org/glm 5.1")
        True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def index(texts: Mapping[str, str]) -> dict[str, Named]:
    """Letters and digits of every name -> the model, and checkpoint, of which it is one.

    Names are those of the profile, its aliases, and the repositories of its checkpoints, these two with and without the
    organisation. A repository that is an alias too names its checkpoint. A name that would be that of several models is
    none; of several checkpoints it is the first, and a name of the model that is no repository goes before the rest of
    a repository's.

    Args:
        texts: name of a profile -> its YAML, with the repository first in every checkpoint.

    Example:
        >>> text = "name: m-1\\naliases: [org/M-1]\\ncheckpoints:\\n  fp8: {repository: org/M-1-FP8, precision: fp8}\\n"
        >>> index({"m-1": text})["m1fp8"]
        Named(profile='m-1', checkpoint='fp8')
    """
    found: dict[str, list[Named]] = {}
    ends: dict[str, list[Named]] = {}
    for profile, text in texts.items():
        aliases = [
            name for part in _ALIASES.findall(text) for name in re.findall(r"[^\s,\[\]\"'-][^\s,\[\]\"']*", part)
        ]
        repositories: dict[str, str] = {}
        for part in _CHECKPOINTS.findall(text):
            for checkpoint, repository in _REPOSITORY.findall(part):
                repositories.setdefault(written(repository), checkpoint)
                ends.setdefault(_end(repository), []).append(Named(profile, checkpoint))
        for name in (profile, *aliases):
            found.setdefault(written(name), []).append(Named(profile, repositories.get(written(name))))
            ends.setdefault(_end(name), []).insert(0, Named(profile))
        for repository, checkpoint in repositories.items():
            found.setdefault(repository, []).append(Named(profile, checkpoint))
    return {
        name: meant[0] for name, meant in (*ends.items(), *found.items()) if len({one.profile for one in meant}) == 1
    }


def _end(name: str) -> str:
    return written(name.rsplit("/", 1)[-1])
