"""The page's own scripts as one module, without a build step: each file keeps its scope, imports become look-ups."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence

IMPORT = re.compile(r"^import\s*\{(?P<names>[^}]*)\}\s*from\s*[\"'](?P<path>[^\"']+)[\"'];?[ \t]*$", re.MULTILINE)
NAME = r"(?:async function|function|const|class)\s*\*?\s*(?P<name>[A-Za-z_$][\w$]*)"
EXPORT = re.compile(rf"^export (?={NAME})", re.MULTILINE)
LEFT = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)
"""What none of the two understands."""


def bundle(files: Mapping[str, str]) -> str:
    """Modules as one text.

    Args:
        files: path below the folder of the scripts -> its text; what a file imports stands before it. Only named
            imports and named exports of functions, constants and classes are known.

    Raises:
        ValueError: another kind of import or export, or an import of what does not stand before it.

    Example:
        >>> print(bundle({"a.js": "export const one = 1;", "b.js": 'import { one } from "./a.js";\\nshow(one);'}))
        const modules = {};
        modules["a.js"] = (() => {
        const one = 1;
        return { one };
        })();
        modules["b.js"] = (() => {
        const { one } = modules["a.js"];
        show(one);
        return {  };
        })();
    """
    parts = ["const modules = {};"]
    for path, text in files.items():
        known = {found["name"]: None for found in EXPORT.finditer(text)}
        body = EXPORT.sub("", _with_look_ups(path, text, list(files)[: len(parts) - 1])).strip()
        if left := LEFT.search(body):
            raise ValueError(f"{path}: found {left[0]!r}; expected named imports and exports alone")
        given = f"return {{ {', '.join(known)} }};"
        parts.append(f"modules[{json.dumps(path)}] = (() => {{\n{body}\n{given}\n}})();")
    return "\n".join(parts)


def _with_look_ups(path: str, text: str, before: Sequence[str]) -> str:
    def look_up(found: re.Match[str]) -> str:
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(path), found["path"]))
        if wanted not in before:
            raise ValueError(f"{path}: imports {wanted}, which does not stand before it in the order")
        names = ", ".join(re.sub(r"\s+as\s+", ": ", name.strip()) for name in found["names"].split(",") if name.strip())
        return f"const {{ {names} }} = modules[{json.dumps(wanted)}];"

    return IMPORT.sub(look_up, text)
