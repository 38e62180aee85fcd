"""Files that appear whole or not at all, and only where nothing stands but an earlier file of the same kind."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from simulator.errors import InputError, MachineError
from simulator.files.kinds import Glimpse, Kind, described
from simulator.files.locking import lock
from simulator.files.paths import user_path

MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Faults of the machine; any other means that the place that was named is of no use."""

_written: ContextVar[list[str] | None] = ContextVar("written", default=None)


def unwritable(option: str, place: str | os.PathLike[str], fault: OSError) -> InputError | MachineError:
    """The exception for a file that cannot be written: bad input, or a fault of the machine such as a full disk."""
    kind = MachineError if fault.errno in MACHINE else InputError
    return kind(f"{option} {os.fspath(place)}: cannot be written: {fault.strerror or fault}")


def check_place(option: str, place: str | os.PathLike[str], kind: Kind) -> Path:
    """The path behind the name of a file to write, refused before any work if it cannot be written or is taken.

    Args:
        option: that names it, such as ``--output``.
        place: path as the user wrote it; a link is followed.
        kind: of file that will be written there, and that alone may stand there. An empty file may too, and a device or
            a pipe.

    Raises:
        InputError: names the option, the path, what was found and what was expected.
        MachineError: the disk is full.
    """
    name = os.fspath(place)
    path = user_path(option, name)
    if path.is_dir():
        raise InputError(f"{option} {name}: cannot be written: it is a directory")
    if special(path):
        return path
    path = Path(os.path.realpath(path))
    try:
        if path.exists():
            _check_replaceable(option, name, path, kind)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as fault:
        raise unwritable(option, name, fault) from None
    return path


def write_file(
    option: str, place: str | os.PathLike[str], kind: Kind, content: str | bytes | Callable[[BinaryIO], object]
) -> Path:
    """Write beside the place, then rename: whatever happens, the old file or the new one stands there, whole.

    Permissions of a file that is replaced are kept, and a link stays a link.

    Args:
        option: that names the place.
        place: path as the user wrote it.
        kind: of file.
        content: text (written as UTF-8), bytes, or a function that writes to an open binary file.

    Raises:
        InputError: the place cannot be written, or a file of another kind stands there.
        MachineError: the disk is full.
    """
    path = check_place(option, place, kind)
    try:
        with path.open("wb") if special(path) else _draft(path) as file:
            _fill(file, content)
    except BrokenPipeError:
        raise
    except OSError as fault:
        raise unwritable(option, place, fault) from None
    if (told := _written.get()) is not None:
        told.append(os.fspath(place))
    return path


@contextlib.contextmanager
def written() -> Iterator[list[str]]:
    """The files that are written inside the block, as the user named them."""
    places: list[str] = []
    token = _written.set(places)
    try:
        yield places
    finally:
        _written.reset(token)


def special(path: Path) -> bool:
    """A pipe or a device, such as /dev/stdout, which cannot be replaced."""
    return path.exists() and not path.is_file()


def replace(path: Path, content: bytes) -> None:
    """Write a file of the program's own format in place of the old one, through a draft.

    Raises:
        OSError: it cannot be written.
    """
    with _draft(path) as file:
        file.write(content)


def _check_replaceable(option: str, name: str, path: Path, kind: Kind) -> None:
    found = Glimpse.of(path)
    if found.head and not kind.ours(found):
        other = Path(name)
        other = other.with_name(f"{other.stem}-2{other.suffix}")
        raise InputError(
            f"{option} {name}: found {described(found)} there; expected {kind.name}, which would be replaced, or a new "
            f"name, such as {other}"
        )
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _fill(file: BinaryIO, content: str | bytes | Callable[[BinaryIO], object]) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[BinaryIO]:
    """A file beside its place that takes the place at the end, or leaves nothing."""
    _sweep(path)
    draft = path.with_name(f"{_stem(path)}{os.getpid()}.part")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            lock(file.fileno())
            _keep_owner(path, file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    _settle(path.parent)


def _stem(path: Path) -> str:
    """How the names of drafts begin; names of files have a longest length."""
    return f".{path.name[:60]}."


def _sweep(path: Path) -> None:
    """Remove drafts of this place whose writer was killed: nobody holds them."""
    for draft in path.parent.glob(f"{glob.escape(_stem(path))}*.part"):
        with contextlib.suppress(OSError), draft.open("rb") as file:
            if lock(file.fileno()) is True:
                draft.unlink()


def _keep_owner(path: Path, handle: int) -> None:
    """Permissions of the file that will be replaced, and its owner if that is allowed."""
    with contextlib.suppress(OSError, AttributeError):
        old = path.stat()
        os.fchmod(handle, stat.S_IMODE(old.st_mode))
        if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(handle, old.st_uid, old.st_gid)
            os.fchmod(handle, stat.S_IMODE(old.st_mode))


def _settle(folder: Path) -> None:
    """Make a rename last through a power failure, where a folder can be synchronised."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
