"""Lists of modules as quantisation configurations have them: names, parts of names, globs and regular expressions."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from simulator.errors import InputError, brief


class Modules:
    """A list of modules.

    An entry is the whole name of a module or of one that it is in, or a run of its parts (``gate`` is in ``mlp.gate``
    but not in ``mlp.gate_proj``); with ``*`` or ``?`` it is a glob, behind ``re:`` a regular expression.

    Example:
        >>> kept = Modules(["lm_head", "gate", "model.layers.*.self_attn", "re:.*shared_experts.*"], "quant.json")
        >>> "model.layers.0.mlp.gate" in kept, "model.layers.0.mlp.gate_proj" in kept
        (True, False)
        >>> "model.layers.7.self_attn.q_proj" in kept, "model.layers.7.mlp.shared_experts.up_proj" in kept
        (True, True)
    """

    def __init__(self, entries: Iterable[str], where: str) -> None:
        """Sort the entries; ``where`` is the file and key, for messages.

        Raises:
            InputError: a regular expression that is none.
        """
        self.runs: set[tuple[str, ...]] = set()
        expressions = []
        for entry in entries:
            if entry.startswith("re:"):
                expressions.append(_checked(entry.removeprefix("re:"), where))
            elif "*" in entry or "?" in entry:
                expressions += [fnmatch.translate(entry), fnmatch.translate(f"{entry}.*")]
            else:
                self.runs.add(tuple(entry.split(".")))
        self.expression = re.compile("|".join(f"(?:{one})" for one in expressions)) if expressions else None

    def __contains__(self, name: str) -> bool:
        """Whether an entry means a module of this name."""
        parts = tuple(name.split("."))
        if any(parts[i:j] in self.runs for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)):
            return True
        return self.expression is not None and self.expression.match(name) is not None


def _checked(text: str, where: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as fault:
        raise InputError(f"{where}: expected a regular expression, found {brief(text)}: {fault}") from None
    return text
