"""Runs pytest again and again in processes that have imported all but the package and its tests.

Started in a copy of the tree by :class:`mutant_tree.Tree`. A line on standard input is a JSON list of arguments of
pytest and where its output goes; the answers are the process id of a fork, and its exit status when it has ended.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

BEFOREHAND = ("numba", "scipy.stats", "scipy.optimize", "pandas", "pydantic", "yaml", "ciw", "simpy", "hypothesis")
BEFOREHAND += ("hypothesis.strategies", "joblib", "platformdirs", "pytest")


def run(arguments: list[str], output: str) -> None:
    """Become the tests: a process group of its own, ended without what the interpreter does at its end."""
    os.setsid()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    status = 1
    try:
        import pytest

        status = int(pytest.main(arguments))
        sys.stdout.flush()
    finally:
        os._exit(status)


def main() -> None:
    """Answer until the input ends."""
    for name in BEFOREHAND:
        importlib.import_module(name)
    assert not any(name.startswith("simulator") for name in sys.modules)
    for line in sys.stdin:
        arguments, output = json.loads(line)
        child = os.fork()
        if child == 0:
            run(arguments, output)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
