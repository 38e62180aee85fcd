"""How kernels are compiled, and where their machine code is kept.

numba keeps machine code on disk and asks only whether the function's own file changed, so the code of a kernel would
outlive an edit of what it calls. Here all of it carries one stamp, of the contents of every file in this folder: the
folder holds nothing but kernels, or every edit would compile them anew.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import platformdirs
from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

config: Any = numba.config

STAMP = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


def compiled(function: F) -> F:
    """Compile on the first call and run without the GIL; keep the machine code until any file of the kernels changes.

    The type stays that of the function. With ``NUMBA_DISABLE_JIT=1`` it stays the function.
    """
    if config.DISABLE_JIT:
        return function
    folder = cache_folder()
    kept = _kept(function, folder) if folder else None
    return cast(F, kept or njit(nogil=True)(function))


@functools.cache
def cache_folder() -> str | None:
    """Where machine code is kept: ``NUMBA_CACHE_DIR`` if set, else the user's cache folder, never the package.

    None if it cannot be written, or if others could put code there, which is said once on standard error. numba would
    also take the folder from a ``.numba_config.yaml`` in the current folder, which may be anybody's: that is not asked.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR", "")
    folder = Path(chosen or platformdirs.user_cache_dir("mtpsim", appauthor=False))
    try:
        if not (chosen or folder.is_absolute()):
            raise FileNotFoundError("no home directory")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = writable_by_others(folder)
        if others is not None:
            raise PermissionError(f"others can write to {others}")
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        _compiles_every_time(f"does not use {str(folder)!r} ({error.strerror or error})")
        return None
    return str(folder)


def writable_by_others(folder: Path) -> Path | None:
    """The folder or one above it in which another user could put a file in place of ours; None: no one can.

    A folder of ours or of root, writable for others only if its entries are safe from them (sticky), is fine. Where
    files have no such owners (Windows), None.
    """
    if not hasattr(os, "geteuid"):
        return None
    real = folder.resolve()
    for one in (real, *real.parents):
        found = one.stat()
        shared = stat.S_IWOTH | (0 if found.st_gid == os.getegid() else stat.S_IWGRP)
        open_to_all = found.st_mode & shared and not (found.st_mode & stat.S_ISVTX and one != real)
        if found.st_uid not in (0, os.geteuid()) or open_to_all:
            return one
    return None


def _kept(function: Callable[..., Any], folder: str) -> Any:
    """The compiled function with its machine code in the folder; None if numba would not keep it there under the
    stamp."""
    before, config.CACHE_DIR = config.CACHE_DIR, folder
    try:
        dispatcher: Any = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no place at all
        dispatcher = None
    finally:
        config.CACHE_DIR = before
    cache: Any = getattr(dispatcher, "_cache", None)
    index: Any = getattr(cache, "_cache_file", None)
    if not (hasattr(index, "_source_stamp") and os.path.dirname(cache.cache_path) == folder):
        _compiles_every_time(f"numba {numba.__version__} does not keep machine code in {folder}")
        return None
    index._source_stamp = STAMP
    # read before anything is unpickled: an older index may name types that an edit has removed
    index._version = f"{numba.__version__} {STAMP}"
    return dispatcher


@functools.cache
def _compiles_every_time(why: str) -> None:
    """Say it once, whatever the number of kernels."""
    print(f"mtpsim: {why}: kernels are compiled in every process; NUMBA_CACHE_DIR names another place", file=sys.stderr)
