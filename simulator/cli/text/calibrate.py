"""A calibration as text: every parameter with its error, prior and how far the data moved it, then the errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.evaluate import percent
from simulator.cli.text.page import Column, Page, number
from simulator.cost.parameters import registry

ERRORS = {"in_sample": "in sample", "leave_one_concurrency_out": "each concurrency left out"}


def calibration_text(content: Mapping[str, Any]) -> str:
    """Parameters, errors in sample and held out, noise and what the data cannot tell."""
    page = Page.of(False)
    fitted = content["parameters"]
    names = list(fitted)

    def spread(name: str) -> str:
        entry = fitted[name]
        if registry()[name].scale == "log":
            return f"{100 * entry['stderr']:.0f} %"
        return number(entry["stderr"], 2)

    body = page.told(
        [
            Column("parameter", "", names, left=True),
            Column("value", "", [number(fitted[n]["value"], 4) for n in names]),
            Column("unit", "", [fitted[n]["unit"] for n in names], 1, left=True),
            Column("std. error", "", [spread(n) for n in names]),
            Column("prior", "", [number(fitted[n]["prior"], 4) for n in names], 2),
            Column("moved", "prior sd", [f"{fitted[n]['moved_sd']:+.1f}" for n in names], 3),
        ]
    )
    parts = [body, ""]
    acceptance = content.get("acceptance")
    if acceptance:
        text = f"acceptance length at depth {acceptance['spec_tokens']}: {acceptance['length']:.3f} "
        parts += [page.paragraph(f"{text}± {acceptance['stderr']:.3f} tokens per round (fitted)"), ""]
    errors = content["errors"]
    kinds = [k for k in ("total_tok_s_gpu", "tpot", "ttft") if k in errors["in_sample"]]
    shown = [key for key in ERRORS if key in errors]
    table = page.told(
        [
            Column("MAPE, %", "", [ERRORS[k] for k in shown], left=True),
            *(Column(_kind(k), "", [percent(errors[s].get(k)) for s in shown]) for k in kinds),
        ]
    )
    parts += [table, ""]
    unknown = content["identifiability"]
    if unknown:
        parts += ["What the data cannot tell:", *(page.paragraph(f"- {line}", "  ") for line in unknown), ""]
    parts.append(page.paragraph(f"noise for intervals: {content['noise_source']}"))
    return "\n".join(parts)


def _kind(kind: str) -> str:
    return {"total_tok_s_gpu": "throughput", "tpot": "TPOT", "ttft": "TTFT"}[kind]
