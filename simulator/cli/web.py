"""What the commands of the page share."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.measurements.rows import Row


def need(command: str, *modules: str) -> None:
    """Refuse to begin without the libraries of the extra ``web``.

    Raises:
        InputError: says what to install.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"mtpsim {command} needs {' and '.join(missing)}: pip install 'mtpsim[web]'")


def measured_rows(places: Sequence[str]) -> tuple[Row, ...]:
    """The rows of the files of ``--measured``.

    Raises:
        InputError: faults in them.
    """
    from simulator import api

    return api.read_measurements(list(places)) if places else ()
