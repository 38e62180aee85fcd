"""``--ttft-p99 2s``: any percentile of TTFT, TPOT and end-to-end latency as an option."""

from __future__ import annotations

import re

import click

from simulator.traffic.promises import Promise, parse_promise

_OPTION = re.compile(r"--((?:ttft|tpot|e2e)-p[^=]*)(?:=(.*))?", re.IGNORECASE | re.DOTALL)


class PromiseCommand(click.Command):
    """A command that reads ``--<metric>-p<percentile> LIMIT`` as ``--promise <metric>-p<percentile>=LIMIT``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite the promises, then parse as usual."""
        rewritten: list[str] = []
        rest = iter(args)
        for argument in rest:
            match = _OPTION.fullmatch(argument)
            if match is None:
                rewritten.append(argument)
                continue
            limit = match[2] if match[2] is not None else next(rest, None)
            rewritten += ["--promise", match[1] if limit is None else f"{match[1]}={limit}"]
        return super().parse_args(ctx, rewritten)


def promises(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[Promise, ...]:
    """Click callback: the promises."""
    return tuple(parse_promise(value) for value in values)
