"""What long work has finished, kept in a file line by line, so that work that was interrupted goes on where it was."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from simulator.errors import InputError, MachineError
from simulator.files.lines import Format, Found, read_lines
from simulator.files.locking import lock
from simulator.files.paths import user_path
from simulator.files.reading import read_bytes
from simulator.files.telling import tell
from simulator.files.writing import replace, unwritable

ASIDE = b"damaged lines, kept aside by mtpsim\n"
"""First line of the file beside a journal that keeps its damaged lines."""
SHOWN = 10
"""Damaged lines that are named by their number."""
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


class Journal:
    """Contents by key. A file of another kind is never touched; one of this kind is only ever appended to.

    Of a file that was cut off by a kill or a full disk everything finished is used. Damaged lines are reported and
    moved to a file beside it, and the rest is used. One process at a time writes to a file.

    Attributes:
        known: content by key, of the file and of what was added.
    """

    def __init__(self, place: str, form: Format) -> None:
        """Read the file, if there is one.

        Raises:
            InputError: it cannot be read, is no such journal, belongs to something else, or is being written.
            MachineError: damaged lines cannot be kept aside.
        """
        self.place, self._form = place, form
        self._path = Path(os.path.realpath(user_path(form.option, place)))
        self.known: dict[str, Any] = {}
        self._handle: int | None = None
        self._fault: OSError | None = None
        try:
            self._open()
        except OSError as fault:
            raise InputError(f"{form.option} {place}: cannot be read: {fault.strerror or fault}") from None
        except BaseException:
            self.close()
            raise

    def begin(self) -> None:
        """Make sure that the file can be added to.

        Raises:
            InputError: it cannot be written.
            MachineError: the disk is full.
        """
        if self._fault is not None:
            raise unwritable(self._form.option, self.place, self._fault)
        if self._handle is None:
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
                self._handle = os.open(self._path, flags, 0o666)
            except FileExistsError:
                raise self._busy() from None
            except OSError as fault:
                raise unwritable(self._form.option, self.place, fault) from None
            if lock(self._handle) is False:
                raise self._busy()
            try:
                self._head()
            except BaseException:
                self._path.unlink(missing_ok=True)
                raise
        elif os.fstat(self._handle).st_size == 0:
            self._head()

    def add(self, entries: Mapping[str, Any]) -> None:
        """Keep contents; when this returns they are on the disk.

        Raises:
            InputError: the file cannot be written.
            MachineError: the disk is full; entries that were written whole stay.
        """
        self.begin()
        self._append(b"".join(self._form.entry(key, content) for key, content in entries.items()))
        self.known |= entries

    def on_disk(self) -> set[str]:
        """Keys that the file holds, even if an interruption came between writing them and taking note."""
        try:
            return set(read_lines(self._path.read_bytes(), self._form, self.place).known)
        except (OSError, InputError):
            return set()

    def close(self) -> None:
        """Let go of the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Journal:
        """The journal; it is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the file."""
        self.close()

    def _open(self) -> None:
        """Take the file, read it, and mend it; nothing if there is none."""
        try:
            if not stat.S_ISREG(self._path.stat().st_mode):
                raise InputError(f"{self._form.option} {self.place}: expected a file, found a folder, pipe or device")
        except FileNotFoundError:
            return
        try:
            self._handle = os.open(self._path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0))
        except OSError as fault:
            if fault.errno not in NOT_WRITABLE:
                raise
            self._fault = fault
        if self._handle is not None and (lock(self._handle) is False or self._moved(self._handle)):
            raise self._busy()
        data = read_bytes(self._path, f"{self._form.option} {self.place}")
        found = read_lines(data, self._form, self.place)
        self.known = found.known
        if found.damaged:
            self._report([number for number, _ in found.damaged])
        if self._handle is not None and found.content != data:
            try:
                self._mend(data, found)
            except OSError as fault:
                raise unwritable(self._form.option, self.place, fault) from None

    def _moved(self, handle: int) -> bool:
        """Whether another process has put a mended file in place since this one was opened."""
        return not os.path.samestat(os.fstat(handle), self._path.stat())

    def _mend(self, data: bytes, found: Found) -> None:
        """Leave the header and sound lines alone, after the damaged ones are safe elsewhere."""
        assert self._handle is not None
        whole = found.content
        if found.damaged:
            _keep_aside(self._path, b"".join(line + b"\n" for _, line in found.damaged))
        if data + b"\n" == whole:
            os.write(self._handle, b"\n")
        elif data.startswith(whole):
            os.ftruncate(self._handle, len(whole))
        else:
            replace(self._path, whole)
            old, self._handle = self._handle, os.open(self._path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0))
            os.close(old)
            lock(self._handle)
        os.fsync(self._handle)

    def _head(self) -> None:
        self._append(self._form.headers[0].encode() + b"\n")

    def _append(self, data: bytes) -> None:
        """Write whole lines, and leave no part of one behind."""
        assert self._handle is not None
        end = os.fstat(self._handle).st_size
        done = 0
        try:
            while done < len(data):
                done += os.write(self._handle, data[done:])
            os.fsync(self._handle)
        except OSError as fault:
            raise unwritable(self._form.option, self.place, fault) from None
        finally:
            if done < len(data):
                with contextlib.suppress(OSError):
                    os.ftruncate(self._handle, end + data[:done].rfind(b"\n") + 1)

    def _busy(self) -> InputError:
        return InputError(
            f"{self._form.option} {self.place}: another run is writing there; expected a file of its own for each, or "
            "wait for its end"
        )

    def _report(self, numbers: list[int]) -> None:
        named = ", ".join(map(str, numbers[:SHOWN])) + (" and others" if len(numbers) > SHOWN else "")
        lines, be = ("line", "is") if len(numbers) == 1 else ("lines", "are")
        where = "left where it is" if self._handle is None else f"kept aside in {_aside(self._path).name}"
        tell(f"{self._form.option} {self.place}: {lines} {named} {be} damaged and {where}; the rest is used")


def kept(fault: BaseException, journal: Journal | None, wanted: Collection[str], total: int | None, what: str) -> None:
    """Say with an exception what is kept of work that it ends.

    Args:
        fault: the exception.
        journal: that keeps it, if any does.
        wanted: keys that count.
        total: how many there would have been, if that is known.
        what: they are, in words.
    """
    if journal is not None and isinstance(fault, KeyboardInterrupt | MachineError):
        done = len(journal.on_disk() & set(wanted))
        of = "" if total is None else f" of {total}"
        fault.add_note(f"{done}{of} finished {what} are kept in {journal.place}; the same command goes on from there")


def _aside(path: Path) -> Path:
    """The file beside a journal that its damaged lines go to: one that has begun so, or a new one."""
    number = 1
    while True:
        beside = path.with_name(f"{path.name}.damaged{'' if number == 1 else f'-{number}'}")
        try:
            with beside.open("rb") as file:
                if file.read(len(ASIDE)) == ASIDE:
                    return beside
        except FileNotFoundError:
            return beside
        except OSError:
            pass
        number += 1


def _keep_aside(path: Path, lines: bytes) -> None:
    beside = _aside(path)
    old = beside.read_bytes() if beside.exists() else ASIDE
    replace(beside, old + lines)
