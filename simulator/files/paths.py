"""Paths as users write them: ``~`` is a home folder, and what no path can be is said so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from simulator.errors import InputError, brief

LONGEST_PATH, LONGEST_NAME = 4095, 255
"""Bytes of a path and of each name in it, on every file system in common use."""

PACKAGE = Path(__file__).resolve().parents[1]
_shipped_only: ContextVar[bool] = ContextVar("shipped_only", default=False)


@contextlib.contextmanager
def shipped_files_only() -> Iterator[None]:
    """Inside the block no path is taken but of what ships: for names that come from strangers."""
    token = _shipped_only.set(True)
    try:
        yield
    finally:
        _shipped_only.reset(token)


def takes_files() -> bool:
    """Whether files of the user may be named here."""
    return not _shipped_only.get()


def user_path(option: str, text: str | Path) -> Path:
    """The path behind an option or argument.

    Args:
        option: what names the path, for messages.
        text: as the user wrote it.

    Raises:
        InputError: ``~name`` of no user, a NUL byte, a path or a name in it that no file system takes, or any file that
            does not ship inside :func:`shipped_files_only`.

    Example:
        >>> user_path("--output", "runs/all.csv").parts
        ('runs', 'all.csv')
    """
    if "\0" in str(text):
        raise InputError(f"{option}: a path has no NUL byte, found {brief(str(text))}")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise InputError(f"{option}: no such user, found {brief(str(text))}") from None
    if not takes_files() and PACKAGE not in path.resolve().parents:
        raise InputError(f"{option}: no file is read here; expected a name that ships, found {brief(str(text))}")
    try:
        sizes = [len(part.encode()) for part in (str(path), *path.parts)]
    except UnicodeEncodeError:
        return path  # bytes that are no text, as file systems allow and Python hands through
    if sizes[0] > LONGEST_PATH or max(sizes[1:], default=0) > LONGEST_NAME:
        raise InputError(f"{option}: longer than a path or a name in it can be, found {brief(str(text))}")
    return path
