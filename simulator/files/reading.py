"""The bytes and the text of a user's file, no more than the limits allow."""

from __future__ import annotations

import stat
from pathlib import Path

from simulator.errors import InputError
from simulator.files.limits import current, within

MEGABYTE = 1_000_000


def read_bytes(path: Path, where: str, *, limit: str = "file-mb") -> bytes:
    """The whole file. Of what has no size, such as a pipe, no more is read than the limit.

    Args:
        path: of the file.
        where: the file as the user named it, for messages.
        limit: name of the limit on its size.

    Raises:
        InputError: it cannot be read, or is larger than the limit.
    """
    try:
        with path.open("rb") as file:
            found = path.stat()
            if stat.S_ISREG(found.st_mode):
                within(limit, found.st_size / MEGABYTE, where)
                return file.read()
            most = int(getattr(current(), limit.replace("-", "_")) * MEGABYTE)
            data = file.read(most + 1)
    except (OSError, ValueError) as fault:
        if isinstance(fault, InputError):
            raise
        raise InputError(f"{where}: cannot be read: {getattr(fault, 'strerror', None) or fault}") from None
    within(limit, len(data) / MEGABYTE, where)
    return data


def check_rows(data: bytes, where: str, *, bytes_each: float) -> None:
    """Refuse a file of more rows than the limits allow, before they are parsed.

    Args:
        data: of the file.
        where: the file as the user named it.
        bytes_each: memory that a row takes.

    Raises:
        InputError: too many rows.
    """
    within("rows", data.count(b"\n"), where, bytes_each=bytes_each)


def decoded(data: bytes, where: str) -> str:
    """The text of a file, without the mark that some editors begin it with.

    Raises:
        InputError: not UTF-8, with the line and the byte.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise InputError(f"{where}: line {line}: byte {data[fault.start]:#04x} is not UTF-8") from None
