"""Answers that are kept: the latest, up to so many bytes, and each computed once however many ask at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """A bounded store of what was computed, safe for threads; the longest unused goes first.

    Example:
        >>> kept = Kept(most_bytes=10, size=len)
        >>> kept.get("a", lambda: b"12345"), kept.get("a", lambda: b"never asked")
        (b'12345', b'12345')
    """

    def __init__(self, most_bytes: int, size: Callable[[T], int]) -> None:
        """An empty store.

        Args:
            most_bytes: of all that is kept together.
            size: bytes of one.
        """
        self._most = most_bytes
        self._size = size
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, T] = OrderedDict()
        self._running: dict[Hashable, Future[T]] = {}
        self.bytes = 0

    def peek(self, key: Hashable) -> T | None:
        """What is kept under a key, if anything is."""
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key]

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What is kept under a key, or else computed: by this thread, or awaited from the one that is at it."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
            running = self._running.get(key)
            own: Future[T] = Future()
            if running is None:
                self._running[key] = own
        if running is not None:
            return running.result()
        try:
            value = compute()
        except BaseException as fault:
            with self._lock:
                del self._running[key]
            own.set_exception(fault)
            own.exception()
            raise
        with self._lock:
            del self._running[key]
            self._keep(key, value)
        own.set_result(value)
        return value

    def _keep(self, key: Hashable, value: T) -> None:
        self._found[key] = value
        self.bytes += self._size(value)
        while self.bytes > self._most and self._found:
            _, gone = self._found.popitem(last=False)
            self.bytes -= self._size(gone)
