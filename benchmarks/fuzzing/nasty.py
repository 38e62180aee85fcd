"""Scalars and texts that parsers, ranges and terminals choke on."""

from __future__ import annotations

import math
import random

NUMBERS = [
    "0", "-0", "-1", "1", "2", "3", "0.5", "1e-300", "5e-324", "1e300", "1.8e308", "1e999", "-1e999", "9" * 25,
    "9" * 400, "9" * 5000, "-" + "9" * 400, str(2**31), str(2**53 + 1), str(2**63), str(2**64), "-9223372036854775809",
    "nan", "-nan", "inf", "-inf", ".nan", ".inf", "-.inf", "Infinity", "NaN", "1_000", "0x10", "0o17", "0b11", "1e",
    "1e+", "+5", " 7 ", "1,5", "٣", "²", "½", "1 2", "1e5", "1e9", "1e15", "1e16", "0.1.2", "--1", "1/0", "00", "1e-5",
]  # fmt: skip
"""Texts in the place of a number."""

SCALARS = [
    "2023-13-45", "2023-02-30", "2023-01-01", "2023-01-01 25:61:61", "!!int x", "!!int ''", "!!float x", "!!bool x",
    "!!null x", "!!timestamp x", "!!binary x", "!!binary '='", "!!set {a, b}", "!!omap [a: 1]", "!!pairs [a: 1]",
    "!!python/object/apply:os.getcwd []", "!!python/name:os.system", "!foo bar", "!!str 5", "!!seq {}", "!!map []",
    "~", "null", "true", "no", "on", "", "''", '"\\0"', '"\\e[31mRED\\e[0m"', '"\\u009b31m"', '"\\e]0;x\\a"',
    '"\\ud800"',
    '"\\U0010FFFF"', '"\\u202e"', '"\\r"', '"\\b\\b"', "[]", "{}", "[[]]", "{a: {a: {a: 1}}}", "[1, 2, 3]", "{1: 2}",
    "{[1]: 2}", "{{a: b}: c}", "? [a]\n: b", "&a [*a]", "&b {x: *b}", "*nowhere", "&c 1", "{<<: {value: 1}}", "<<: 3",
    "{<<: [1]}", "{<<: &d {<<: *d}}", "=", "190:20:30", "1:1", "0x", "0b", "0o8", "-", "?", ":", "%", "@", "`",
    "- -", "|",
    ">", "|\n  x", "# x", "{value: 1}", "{value: 1, unit: GB}", "{value: nan, unit: GB, source: x}", "''''",
    "{value: 1, unit: [], source: {}}", "{value: '1', unit: parsec, source: s}", "\t", "é", "😀", "İ", "ß", "\u2028",
    "name", "mi355x", "fp4", "[a, a]", "{a: 1, a: 2}", "{null: 1}", "{true: 1, 1: 2}", "{2023-01-01: 1}", "9" * 20,
    "[" * 50 + "]" * 50, "[" * 3000 + "]" * 3000, "{a: " * 400 + "1" + "}" * 400,
]  # fmt: skip
"""YAML put in the place of a value as it is."""

TEXTS = [
    "", " ", "x", "\x1b[31mRED\x1b[0m", "\x1b]0;pwned\x07", "\x9b31m", "\x00", "\x07", "\x08", "\r", "\n", "a\nb", "\t",
    "\x7f", "\u202eabc", "\u2028", "\ufeff", "é", "😀", "İ", "ß", "\ud800", "=1+1", "@SUM(A1)", "+1", "-1", "'",
    '"', ",", ";",
    "|", "`id`", "$(id)", "%s", "{}", "{0}", "\\", "../x", "/", ".", "~", "~nouser/x", "NULL", "None", "N/A", "true",
    "x" * 300, "\uff41", "[bold]x[/bold]", "[/]", ":smile:", "<b>", "&amp;", "a" * 5000, "\x85", "\x0b",
    "\x0c", "\x1c", "\x1f",
]  # fmt: skip
"""Texts in the place of a text; some cannot be written as UTF-8."""

JSON = [
    "null", "true", "{}", "[]", '""', '"x"', "NaN", "Infinity", "-Infinity", "1e999", "1e400", "9" * 400, "9" * 5000,
    "-1", "0", "0.5", "1e-400", "1e5", "1e7", "2.5", '"5"', '"\\u001b[31m"', '"\\ud800"', "[" * 3000 + "]" * 3000,
    '{"a":' * 900 + "1" + "}" * 900, '{"a": 1, "a": 2}', "[1, 2", "{", '"', "nan", "1.", "01", "+1",
    "2147483648", "1e308",
]  # fmt: skip
"""JSON, or nearly, put in the place of a value as it is."""


def number(rng: random.Random) -> str:
    """A text in the place of a number: half of the time a harmless one."""
    if rng.random() < 0.5:
        return rng.choice(NUMBERS)
    kind = rng.randrange(4)
    if kind == 0:
        return str(rng.randint(-3, 70))
    if kind == 1:
        return f"{rng.uniform(-1, 10):.3g}"
    return f"{rng.choice([1, 10, -1]) * 10.0 ** rng.randint(-12, 12):.3g}" if kind == 2 else str(rng.randint(1, 9))


def near(rng: random.Random, number: str) -> str:
    """A number not far from another, whole if that is."""
    try:
        value = float(number)
    except ValueError:
        return number
    if not math.isfinite(value):
        return number
    other = rng.choice(
        [value * rng.choice([0.1, 0.5, 0.9, 1.1, 2, 3, 10]), value + 1, value - 1, 2 * round(value), 1.0]
    )
    return str(round(other)) if value == int(value) and "." not in number else f"{other:.6g}"


def text(rng: random.Random) -> str:
    """A text that can be nasty, or one of random characters."""
    if rng.random() < 0.8:
        return rng.choice(TEXTS)
    ranges = [
        (0, 0x20),
        (0x20, 0x7F),
        (0x7F, 0xA0),
        (0xA0, 0x2FF),
        (0x2000, 0x2070),
        (0xFF00, 0xFFFF),
        (0x1F600, 0x1F64F),
    ]
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(1, 12)))
