"""What is said of sessions where requests that come by themselves are needed."""

from __future__ import annotations

from simulator.errors import InputError


def refuse_sessions(path: str, name: str) -> InputError:
    """The exception for a file of sessions that is given as a trace.

    Args:
        path: of the file.
        name: of its format.
    """
    return InputError(
        f"{path}: {name}: each request waits for the answer before it, so that its times depend on the server; "
        "expected requests that come by themselves, such as a trace of Mooncake, Azure or BurstGPT; "
        "mtpsim replay runs sessions"
    )
