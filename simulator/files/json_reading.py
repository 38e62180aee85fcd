"""JSON of the user: plain data, every key once, every number finite and of a sane length."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from simulator.errors import InputError, brief

MOST_DIGITS = 30


def parse_json_object(text: str, where: str, *, finite: bool = True) -> dict[str, Any]:
    """The object that a text holds.

    Args:
        text: of one line, or of a file.
        where: file and line, for messages.
        finite: ``NaN`` and ``Infinity``, which are no JSON but which programs write, are refused too.

    Raises:
        InputError: not JSON, not an object, nested too deep, a key twice or an endless number.

    Example:
        >>> parse_json_object('{"timestamp": 27.5}', "trace.jsonl: line 1")
        {'timestamp': 27.5}
    """
    try:
        found = (_DECODER if finite else _LOOSE).decode(text)
    except json.JSONDecodeError as fault:
        raise InputError(f"{where}: not JSON: {fault.msg}") from None
    except RecursionError:
        raise InputError(f"{where}: nested too deep to be read") from None
    except ValueError as fault:
        raise InputError(f"{where}: {fault}") from None
    if not isinstance(found, dict):
        kinds = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}
        raise InputError(f"{where}: expected a JSON object, found {kinds.get(type(found), 'a number')}")
    return found


def parse_json(text: str, where: str) -> Any:
    """Any JSON value of a whole file; ``NaN`` and ``Infinity``, which are no JSON but which programs write, are floats.

    Args:
        text: of the file.
        where: the file, for messages.

    Raises:
        InputError: not JSON or cut off, with the line and column; nested too deep, a key twice or an endless number.

    Example:
        >>> parse_json('[{"request_rate": Infinity}]', "runs.json")
        [{'request_rate': inf}]
    """
    try:
        return _LOOSE.decode(text)
    except json.JSONDecodeError as fault:
        cut = "; the file seems to be cut off" if not text[fault.pos :].strip() or "Unterminated" in fault.msg else ""
        raise InputError(f"{where}: line {fault.lineno}, column {fault.colno}: not JSON: {fault.msg}{cut}") from None
    except RecursionError:
        raise InputError(f"{where}: nested too deep to be read") from None
    except ValueError as fault:
        raise InputError(f"{where}: {fault}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {brief(twice)} found twice; expected each key once")
    return found


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS + 1:
        raise ValueError(f"a number of {len(text.lstrip('-')):,} digits; expected at most {MOST_DIGITS}")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise ValueError(f"expected finite numbers, found {text}")


_LOOSE = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole)
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_constant=_constant)
