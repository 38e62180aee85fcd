"""What long work tells while it goes on: a function that takes a few words."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]


def silent(text: str) -> None:
    """Tell nobody."""
