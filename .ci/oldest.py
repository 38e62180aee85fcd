"""Print pip constraints that hold every direct dependency of the package and of its tests at its oldest version.

What only the developers' tools need is not among them.
"""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
optional = project["optional-dependencies"]
oldest: dict[str, str] = {}
waiting = [*project["dependencies"], *optional["test"]]
while waiting:
    requirement = waiting.pop()
    if own := re.fullmatch(rf"{project['name']}\[(\w+)\]", requirement):
        waiting += optional[own[1]]
    elif bound := re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement):
        if oldest.setdefault(bound[1].lower(), bound[2]) != bound[2]:
            raise SystemExit(f"pyproject.toml: two lower bounds of {bound[1]}: {oldest[bound[1].lower()]}, {bound[2]}")
    else:
        raise SystemExit(f"pyproject.toml: expected NAME>=VERSION or {project['name']}[EXTRA], found {requirement!r}")
print("\n".join(f"{name}=={version}" for name, version in sorted(oldest.items())))
