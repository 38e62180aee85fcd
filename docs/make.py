"""Write what the documentation takes from the code, so that neither can drift from the other.

    python docs/make.py          # writes docs/glossary.md, and the tree and the floors in docs/architecture.md,
                                 # the limits in docs/files.md, and the models in docs/models.md
    python docs/make.py --check  # exit status 1 if a file is not what it would write

The glossary comes from docs/terms.csv and simulator/results/columns.csv, the tree from the folders and the first
sentence of each module, the floors from the import contract in pyproject.toml, the models from their profiles.
"""

from __future__ import annotations

import ast
import csv
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

from simulator.facts.figures import figures
from simulator.facts.layers import Dense, FeedForward, Mixer
from simulator.facts.model import Model
from simulator.facts.reading import load_model, names
from simulator.files.limits import LIMITS, current
from simulator.results.columns import COLUMNS, ENDS, STARTS
from simulator.units import GIGA, MEGA

DOCS = Path(__file__).parent
ROOT = DOCS.parent
WIDTH = 118
ROOMS = ("simulator", "hardware_profiles")
DATA = {
    "hardware_profiles": "accelerators: capacity, bandwidth, peaks, links, power, price",
    "simulator/cost": "every parameter of the cost model: prior, bounds, unit, meaning, source",
    "simulator/cost/host_priors": "what host and front end of an engine take on accelerators of a vendor",
    "simulator/cost/kernel_priors": "the same parameters as the kernel tables of one accelerator have them",
    "simulator/facts": "quick all-reduce: from which message size each number format goes on the wire",
    "simulator/facts/models": "models: shape and checkpoints",
    "simulator/facts/engines": "engines: scheduling policy, memory rules, speculation round",
    "simulator/facts/recipes": "recipes: how published runs launched an engine, and which runs take which",
    "simulator/fitting": "what each step away from the measured runs costs",
    "simulator/fitting/calibrations": "fits to the shipped measurements, and the priors alone",
    "simulator/measurements/published": "measured runs, frontier points, kernel times, acceptance lengths",
    "simulator/page/static": "the page in the browser: template, styles and scripts, in the order of order.txt",
    "simulator/page/static/tabs": "one script per tab",
    "simulator/results": "every column of every result: unit and meaning",
    "simulator/speculation/profiles": "published acceptance lengths per model and draft depth",
    "simulator/traffic/shipped": "recorded sessions of coding agents: lengths, times and block ids",
}
"""Folder -> what its files are, where no module says it."""


def glossary() -> str:
    """The whole of docs/glossary.md."""
    return "".join(("# Glossary\n\n<!-- written by docs/make.py -->\n", *_terms(), *_columns()))


def _terms() -> Iterator[str]:
    yield "\n## Terms\n\n| term | meaning |\n|---|---|\n"
    with (DOCS / "terms.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield f"| {row['term']} | {row['meaning']} |\n"


def _columns() -> Iterator[str]:
    yield "\n## Columns\n\nA value that does not exist is absent, never zero. Derived from a column `X`:\n\n"
    for end, meaning in ENDS.items():
        yield f"- `X{end}`: {meaning}, unless the name has a line of its own\n"
    for start, meaning in STARTS.items():
        yield f"- `{start}X`: {meaning}\n"
    yield "\n| column | unit | meaning |\n|---|---|---|\n"
    for column in COLUMNS.values():
        yield f"| `{column.name}` | {column.unit.replace('|', ', ')} | {column.meaning} |\n"


def tree() -> str:
    """The folders and modules, each with the first sentence of its docstring."""
    return "\n".join(line for room in ROOMS for line in _folder(ROOT / room, 0))


def _folder(folder: Path, depth: int) -> Iterator[str]:
    name = folder.relative_to(ROOT).as_posix()
    data = sorted({f"*{path.suffix}" for path in folder.iterdir() if path.suffix in (".yaml", ".csv")})
    own = folder / "__init__.py"
    yield from _line(f"{folder.name}/", depth, _sentence(own) if own.is_file() else DATA[name])
    for path in sorted(folder.iterdir(), key=lambda p: (p.is_file(), p.name)):
        if path.is_dir() and path.name != "__pycache__":
            yield from _folder(path, depth + 1)
        elif path.suffix == ".py" and path.name != "__init__.py":
            yield from _line(path.name, depth + 1, _sentence(path))
    if own.is_file() and data:
        yield from _line(", ".join(data), depth + 1, DATA[name])


def _line(name: str, depth: int, text: str) -> Iterator[str]:
    start = f"{'  ' * depth}{name}".ljust(26) + "  "
    first, *rest = textwrap.wrap(text, WIDTH - len(start)) or [""]
    yield f"{start}{first}".rstrip()
    yield from (" " * len(start) + more for more in rest)


def _sentence(path: Path) -> str:
    paragraph = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    plain = re.sub(r":\w+:`([^`]*)`", r"\1", " ".join(paragraph.split())).replace("``", "")
    return re.split(r"(?<=\.)\s", plain)[0].removesuffix(".")


def floors() -> str:
    """The layers of the import contract, from the top down."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return "\n".join(next(c for c in contracts if c["type"] == "layers")["layers"])


def architecture() -> str:
    """docs/architecture.md with its two blocks written anew."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    for name, block in (("tree", tree()), ("floors", floors())):
        pattern = re.compile(rf"(<!-- {name} -->\n```text\n).*?(```\n<!-- /{name} -->)", re.DOTALL)
        text, found = pattern.subn(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", text)
        assert found == 1, name
    return text


def limits() -> str:
    """docs/files.md with its table of limits written anew."""
    text = (DOCS / "files.md").read_text(encoding="utf-8")
    rows = [
        f"| `{name}` | {meaning} | {getattr(current(), name.replace('-', '_')):,.0f} |"
        for name, meaning in LIMITS.items()
    ]
    table = "\n".join(["| limit | of | default |", "| --- | --- | --- |", *rows])
    pattern = re.compile(r"(<!-- limits -->\n).*?(<!-- /limits -->)", re.DOTALL)
    text, found = pattern.subn(lambda match: f"{match[1]}{table}\n{match[2]}", text)
    assert found == 1
    return text


MODELS = "model layers feed-forwards parameters,~10^9 active,~10^9 KV~cache,~B/token state,~MB checkpoints,~GB source"
"""Columns of the table of models."""


ASSUMED = "\\*"
"""Mark of a checkpoint of which no repository is known."""


def models() -> str:
    """docs/models.md with its table of shipped models written anew."""
    text = (DOCS / "models.md").read_text(encoding="utf-8")
    titles = [title.replace("~", " ") for title in MODELS.split()]
    rows = [titles, ["---"] * len(titles), *(_model(load_model(name)) for name in names("model"))]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    pattern = re.compile(r"(<!-- models -->\n).*?(<!-- /models -->)", re.DOTALL)
    text, found = pattern.subn(lambda match: f"{match[1]}{table}\n{match[2]}", text)
    assert found == 1
    return text


def _model(model: Model) -> list[str]:
    layers, found = model.target_layers, figures(model)
    caches = [found["kv_bytes_per_token"]]
    caches += [found["kv_bytes_per_token_beyond_windows"]] * (found["kv_bytes_per_token_beyond_windows"] != caches[0])
    index, state = found["index_bytes_per_token"], found["state_bytes_per_sequence"]
    return [
        f"`{model.name}`",
        "; ".join(f"{count} {_mixer(layer)}" for layer, count in layers.mixers),
        "; ".join(f"{count} {_feed_forward(layer)}" for layer, count in layers.feed_forwards),
        f"{found['total_parameters'] / GIGA:.1f}",
        f"{found['active_parameters'] / GIGA:.1f}",
        ", then ".join(f"{size:,.0f}" for size in caches) + (f" + {index:,.0f}" if index else ""),
        f"{state / MEGA:.0f}" if state else "",
        ", ".join(
            f"{name}{ASSUMED if model.checkpoints[name].repository == 'assumed' else ''} {size / GIGA:.0f}"
            for name, size in found["weight_bytes"].items()
        ),
        model.source,
    ]


def _mixer(layer: Mixer) -> str:
    own = layer.model_dump(exclude_none=True)
    words = [own["kind"].replace("_", " ")]
    words += [f"by {own['ratio']}"] if "ratio" in own else []
    words += [f"in a window of {own['window']}"] if "window" in own else []
    words += ["with a shared index" if own["index"].get("shared") else "with an index"] if "index" in own else []
    words += ["with an index of blocks"] if "blocks" in own else []
    return " ".join(words)


def _feed_forward(layer: FeedForward) -> str:
    if isinstance(layer, Dense):
        return "dense"
    shared = " and a shared one" if layer.shared_intermediate else ""
    return f"with {layer.top_k} of {layer.experts} experts{shared}"


FILES = {"glossary.md": glossary, "architecture.md": architecture, "files.md": limits, "models.md": models}


def main() -> int:
    """Write the files, or say which are not up to date."""
    stale = [name for name, make in FILES.items() if (DOCS / name).read_text(encoding="utf-8") != make()]
    if "--check" in sys.argv[1:]:
        if stale:
            print(f"not up to date: {', '.join(stale)}; run python docs/make.py", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(FILES[name](), encoding="utf-8")
        print(f"docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
