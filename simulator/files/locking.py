"""One writer per file, where the system can say so."""

from __future__ import annotations

import errno

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


def lock(handle: int) -> bool | None:
    """Take an open file for this process until it is closed, without waiting.

    Returns:
        True: taken. False: another process has it. None: this system or file system has no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        return False if fault.errno in TAKEN else None
    return True
