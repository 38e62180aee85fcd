"""The filter language of ``--select``: ``engine = ATOM and precision = FP8 or tp >= 4``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from simulator.errors import InputError, unknown_name
from simulator.measurements.rows import (
    FRONTIER_COLUMNS,
    POINT_COLUMNS,
    FrontierPoint,
    MeasuredPoint,
    OpenLoopPoint,
    Row,
)

R = TypeVar("R", MeasuredPoint, OpenLoopPoint, FrontierPoint, MeasuredPoint | FrontierPoint, Row)

TOKEN = re.compile(r"""\s*(?:"(?P<dq>[^"]*)"|'(?P<sq>[^']*)'|(?P<op><=|>=|==|!=|=|<|>)|(?P<word>[^\s<>=!"']+))""")
COMPARE: dict[str, Callable[..., bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NUMERIC = ("count", "number")


class Comparison(NamedTuple):
    """``column op value``; a row without a value in the column matches ``!=`` only."""

    column: str
    op: str
    value: str

    def matches(self, row: Row) -> bool:
        """Whether a row satisfies the comparison: as numbers where both sides are, else as text without case."""
        found = getattr(row, self.column, None) if self.column in _schema(row) else row.extras.get(self.column)
        if found is None:
            return self.op == "!="
        left, right = _as_number(found), _as_number(self.value)
        if left is not None and right is not None:
            return COMPARE[self.op](left, right)
        return COMPARE[self.op](str(found).casefold(), self.value.casefold())


def _schema(row: Row) -> frozenset[str]:
    return frozenset(FRONTIER_COLUMNS if isinstance(row, FrontierPoint) else POINT_COLUMNS)


def _as_number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(str(value))
    except ValueError:
        return None


def select(rows: Sequence[R], expression: str) -> tuple[R, ...]:
    """The rows that an expression selects, in order.

    An expression is comparisons ``column (= | == | != | < | <= | > | >=) value`` joined with ``and``, and these joined
    with ``or``. A value with spaces goes in quotes. Text is compared without case.

    Raises:
        InputError: the expression does not parse, names an unknown column, compares a number with text, or selects
            nothing.
    """
    alternatives = _parse(expression)
    known = set().union(*(_schema(row) | set(row.extras) for row in rows)) if rows else set(POINT_COLUMNS)
    for comparison in (c for conjunction in alternatives for c in conjunction):
        _check(comparison, known)
    chosen = tuple(row for row in rows if any(all(c.matches(row) for c in conjunction) for conjunction in alternatives))
    if not chosen:
        raise InputError(f"--select {expression!r} selects none of {len(rows)} rows{_choices(rows, alternatives)}")
    return chosen


def _check(comparison: Comparison, known: set[str]) -> None:
    if comparison.column not in known:
        raise unknown_name("column", comparison.column, known)
    column = POINT_COLUMNS.get(comparison.column) or FRONTIER_COLUMNS.get(comparison.column)
    if column is not None and column.kind in NUMERIC and _as_number(comparison.value) is None:
        raise InputError(
            f"--select: column {comparison.column!r} compared with {comparison.value!r}; expected a number"
        )


def _choices(rows: Sequence[Row], alternatives: list[list[Comparison]]) -> str:
    parts = []
    for name in dict.fromkeys(c.column for conjunction in alternatives for c in conjunction):
        values = dict.fromkeys(str(getattr(row, name, None) or row.extras.get(name, "blank")) for row in rows)
        shown = list(values)[:8] + (["..."] if len(values) > 8 else [])
        parts.append(f"{name} holds {', '.join(shown)}")
    return f" ({'; '.join(parts)})" if rows else ""


def _parse(expression: str) -> list[list[Comparison]]:
    """Disjunction of conjunctions of comparisons."""
    tokens = _tokens(expression)
    alternatives: list[list[Comparison]] = [[]]
    position = 0
    while True:
        part = tokens[position : position + 3]
        kinds = [kind for kind, _ in part]
        if kinds not in (["word", "op", "word"], ["word", "op", "quoted"]):
            found = " ".join(text for _, text in part) or "the end"
            raise InputError(f"--select {expression!r}: found {found!r}, expected a comparison such as precision = FP8")
        alternatives[-1].append(Comparison(part[0][1].lower(), part[1][1], part[2][1]))
        position += 3
        if position == len(tokens):
            return alternatives
        kind, joiner = tokens[position]
        if kind != "word" or joiner.lower() not in ("and", "or"):
            raise InputError(
                f"--select {expression!r}: found {joiner!r}, expected 'and' or 'or'; quote values with spaces"
            )
        if joiner.lower() == "or":
            alternatives.append([])
        position += 1


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    text = expression.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise InputError(f"--select {expression!r}: cannot read {text[position:].strip()!r}")
        group = str(match.lastgroup)
        tokens.append(("quoted" if group in ("dq", "sq") else group, match[group]))
        position = match.end()
    return tokens
