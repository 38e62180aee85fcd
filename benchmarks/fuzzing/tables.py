"""Mutations of CSV by cells, rows, columns and dialect, and of lines of JSON by values and lines."""

from __future__ import annotations

import csv
import io
import json
import random
from typing import Any

from fuzzing import nasty

Rows = list[list[str]]


def parse(content: bytes) -> Rows:
    """A file that is known to be CSV."""
    return list(csv.reader(io.StringIO(content.decode())))


def mutate(rng: random.Random, rows: Rows) -> None:
    """One mutation of cells, header, rows or columns."""
    row = rng.choice(rows)
    at = rng.randrange(len(row)) if row else 0
    numbers = [i for i, cell in enumerate(row) if cell[:1].isdigit()] or [at]
    match rng.randrange(18):
        case 14 | 15 | 16 | 17 if row:
            at = rng.choice(numbers)
            row[at] = nasty.near(rng, row[at])
        case 0 | 1 | 2 | 3 if row:
            row[rng.choice(numbers)] = nasty.number(rng)
        case 4 | 5 if row:
            row[at] = nasty.text(rng)
        case 6 if row:
            row[at] = ""
        case 7 if row:
            other = rng.choice(rows)
            i, k = rng.randrange(len(row)), rng.randrange(len(other) or 1)
            if other:
                row[i], other[k] = other[k], row[i]
        case 8:
            rows.insert(rng.randint(0, len(rows)), list(row))
        case 9:
            if row:
                del row[at]
        case 10:
            row.insert(at, nasty.text(rng))
        case 11:
            rng.shuffle(rows[0])
        case 12:
            for one in rows:
                if at < len(one):
                    del one[at]
        case _:
            for one in rows:
                if at < len(one):
                    one.append(one[at])


def written(rng: random.Random, rows: Rows) -> bytes:
    """The rows as a file, now and then in another dialect."""
    file = io.StringIO()
    usual = rng.random() < 0.85
    delimiter = "," if usual else rng.choice([";", "\t", "|", ","])
    quoting = csv.QUOTE_MINIMAL if usual else rng.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
    csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator="\n" if usual else "\r\n").writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


def mutate_line(rng: random.Random, lines: list[str]) -> None:
    """One mutation of lines of JSON: a value, a key, a line damaged, doubled, glued, cut, moved or dropped."""
    if not lines:
        lines.append("{}")
    i = rng.randrange(len(lines))
    match rng.randrange(11):
        case 0 | 1 | 2 | 3 | 4:
            lines[i] = _other_value(rng, lines[i])
        case 5:
            lines[i] = lines[i][: rng.randint(0, len(lines[i]))]
        case 6:
            lines.insert(rng.randint(0, len(lines)), lines[i])
        case 7 if i + 1 < len(lines):
            lines[i : i + 2] = [lines[i] + lines[i + 1]]
        case 8:
            lines[i] = rng.choice([*nasty.JSON, *nasty.TEXTS])
        case 9:
            k = rng.randrange(len(lines))
            lines[i], lines[k] = lines[k], lines[i]
        case _:
            del lines[i]


def _other_value(rng: random.Random, line: str) -> str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line + rng.choice(nasty.JSON)
    raw = rng.choice(nasty.JSON) if rng.random() < 0.7 else nasty.number(rng)
    holder, key = _spot(rng, value)
    if holder is None:
        return raw
    if rng.random() < 0.2 and isinstance(holder, dict):
        moved = holder.pop(key)
        if rng.random() < 0.5:
            holder[rng.choice(["", "x", "\x1b[31m", key.upper()])] = moved
        return json.dumps(value)
    holder[key] = "RAWMARK"
    return json.dumps(value).replace('"RAWMARK"', raw)


def _spot(rng: random.Random, value: Any) -> tuple[Any, Any]:
    holder, key = None, None
    while isinstance(value, dict | list) and value:
        holder, key = value, rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        value = holder[key]
        if rng.random() < 0.2:
            break
    return holder, key
