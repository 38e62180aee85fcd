"""An explanation as text: one table per phase, what it adds up to, memory, and what was assumed."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.cli.text.page import Column, Page, number
from simulator.cost.account import Account
from simulator.cost.bounds import OperatorCost
from simulator.prediction.explain import Explanation, Phase
from simulator.results import words
from simulator.serving.scenario import Scenario
from simulator.units import GIGA, MEGA, MICRO, MILLI, TERA

ASSUMPTIONS = (
    "An operator takes calls x max(floor, latency + FLOPs / rate + bytes / rate), with the rates of the calibration.",
    "Operators run one after another, all GPUs alike; numbers are per GPU, and the draft passes are added up.",
)


def accounts_text(explanations: Sequence[Explanation], piped: bool = False) -> str:
    """The text of each, one after the other; with several, each below a line that names it."""
    notes = [Page.of(piped).paragraph(f"{note}.") for note in explanations[0].meta.get("left_out", [])]
    if len(explanations) == 1:
        return "\n".join([account_text(explanations[0], piped), *notes])
    parts = []
    for one in explanations:
        s = one.scenario
        name = words.replica_name(s.deployment.tp, s.speculation.tokens, s.deployment.ep)
        parts.append(f"== {name}, {one.concurrency} clients\n{account_text(one, piped)}")
    return "\n\n".join([*parts, *notes])


def account_text(explanation: Explanation, piped: bool = False) -> str:
    """Title, tables, totals, memory and assumptions."""
    page, meta = Page.of(piped), explanation.meta
    parts = [page.paragraph(words.header(meta)), ""]
    for phase, account in explanation.accounts.items():
        parts += [page.paragraph(_heading(explanation, phase)), "", page.told(_columns(account)), ""]
        parts += [page.paragraph(line, "  ") for line in _totals(account, explanation.scenario)]
        if phase == "decode":
            parts.append(page.paragraph(_per_token(explanation), "  "))
        parts.append("")
    parts += [page.paragraph(f"Memory. {explanation.memory.arithmetic(explanation.concurrency)}"), ""]
    parts += [page.paragraph(line) for line in ASSUMPTIONS]
    notes = [
        *words.acceptances(meta),
        *words.hit_rates(meta),
        words.calibration(meta),
        f"scope: {explanation.verdict.text}",
    ]
    parts.append(page.paragraph("; ".join(notes) + "."))
    return "\n".join(parts)


def _heading(explanation: Explanation, phase: Phase) -> str:
    m = explanation.meta
    if phase == "decode":
        return (
            f"Decode round of {number(m['batch'])} running requests with {m['context_tokens']:.0f} cached tokens each "
            f"({explanation.concurrency} clients)"
        )
    part = f", one of the {m['passes_per_prompt']} passes of a prompt" if m["passes_per_prompt"] > 1 else ""
    return f"Prefill pass over {m['prompts']:g} x {m['prompt_tokens']:.0f} tokens{part}"


def _columns(account: Account) -> list[Column]:
    rows = account.merged()
    return [
        Column("pass", "", [row.group for row in rows], left=True),
        Column("operator", "", [_name(row) for row in rows], left=True),
        Column("calls", "", [f"{row.count:g}" for row in rows], 4),
        Column("FLOPs", "GFLOP", [_amount(row.flops / GIGA) for row in rows], 3),
        Column("HBM", "MB", [_amount(row.bytes / MEGA) for row in rows], 2),
        Column("links", "MB", [_amount(row.message_bytes / MEGA) for row in rows], 5),
        Column("time", "us", [number(row.seconds / MICRO) for row in rows]),
        Column("share", "%", [f"{100 * row.share:.1f}" for row in rows], 1),
        Column("bound by", "", [row.bound for row in rows], left=True),
    ]


def _name(row: OperatorCost) -> str:
    return row.name.removeprefix("draft ") if row.group == "draft" else row.name


def _amount(value: float) -> str:
    return number(value) if value else "-"


def _totals(account: Account, scenario: Scenario) -> list[str]:
    mfu = "no FLOPs" if account.mfu is None else f"MFU {100 * account.mfu:.1f} %"
    causes = ", ".join(
        f"{cause} {100 * seconds / account.seconds:.0f} %"
        for cause, seconds in sorted(account.parts().items(), key=lambda item: -item[1])
        if seconds > 0
    )
    bandwidth = f"{scenario.deployment.hardware.hbm_bandwidth / TERA:g} TB/s"
    return [
        f"Total {account.seconds / MILLI:.2f} ms: {number(account.flops / GIGA)} GFLOP, "
        f"{number(account.bytes / GIGA)} GB of HBM traffic, {number(account.message_bytes / MEGA)} MB sent; "
        f"{mfu}, MBU {100 * account.mbu:.1f} % of {bandwidth}.",
        f"Bound by {account.bound_by}: {causes}.",
    ]


def _per_token(explanation: Explanation) -> str:
    m = explanation.meta
    seconds = explanation.accounts["decode"].seconds
    return (
        f"{seconds / MILLI:.2f} ms / {m['acceptance_length']:.2f} tokens = {m['tpot_from_round_ms']:.2f} ms per token "
        "of a request, before the prefills in between."
    )
