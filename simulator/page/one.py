"""The one replica that Break-even and Why are about: chosen by the state, else the first with drafts."""

from __future__ import annotations

from simulator.errors import InputError
from simulator.page.choices import check_names
from simulator.page.series import Series, series_of
from simulator.page.state import State


def chosen(state: State, *, drafting: bool = False) -> tuple[Series, int]:
    """The series and the TP in question.

    Args:
        state: of the page: ``why_hardware``, ``why_mtp`` and ``why_tp`` say which; what they leave open is the first
            accelerator, the deepest draft, and the smallest replica of the sweep.
        drafting: Off will not do.

    Raises:
        InputError: no such series or TP in the state, or no drafts where some are needed.
    """
    check_names(state)
    found = [one for one in series_of(state) if state.why_hardware in ("", one.hardware)]
    found = [one for one in found if state.why_mtp in (-1, one.mtp) and (one.mtp or not drafting)]
    if not found:
        wanted = "a draft depth of 1 or more" if drafting else f"one of {', '.join(s.name for s in series_of(state))}"
        raise InputError(f"why_mtp: expected {wanted}, found {state.why_hardware or state.hardware[0]}/{state.why_mtp}")
    series = max(found, key=lambda one: (-state.hardware.index(one.hardware), one.mtp))
    sizes = series.grid.tp
    if state.why_tp and state.why_tp not in sizes:
        raise InputError(f"why_tp: expected one of the sweep's {', '.join(map(str, sizes))}, found {state.why_tp}")
    return series, state.why_tp or min(sizes)
