"""Fits to kernel times as text: how well each class of kernels is described, then the parameters."""

from __future__ import annotations

from simulator.cli.text.evaluate import percent
from simulator.cli.text.page import Column, Page, number
from simulator.fitting.kernels.build import KernelFit

CONVENTIONS = (
    "rms and bias: root mean square and mean of log(model / measured). sd: standard deviation of the logarithm, what "
    "another shape or an engine's own kernel may differ by included."
)


def kernel_fit_text(result: KernelFit) -> str:
    """Class fits, parameters with value and spread, and what was left out."""
    page = Page.of(False)
    fits, parameters = result.content["fits"], result.content["parameters"]
    names = list(parameters)
    classes = page.told(
        [
            Column("kernels", "", [fit["operator"] for fit in fits], left=True),
            Column("format", "", [fit["format"] for fit in fits], left=True),
            Column("rows", "", [str(fit["rows"]) for fit in fits]),
            Column("rms", "%", [percent(fit["rms"]) for fit in fits]),
            Column("bias", "%", [f"{100 * fit['bias']:+.1f}" for fit in fits], 1),
        ]
    )
    values = page.told(
        [
            Column("parameter", "", names, left=True),
            Column("value", "", [number(parameters[n]["value"], 4) for n in names]),
            Column("unit", "", [parameters[n]["unit"] for n in names], left=True),
            Column("sd", "", [f"{100 * parameters[n]['sd']:.0f} %" for n in names]),
            Column("rows", "", [str(parameters[n]["rows"]) for n in names], 1),
            Column("source", "", [parameters[n]["source"].removeprefix("kernels: ") for n in names], 2, True, True),
        ]
    )
    tables = ", ".join(f"{table['file']} ({table['rows']} rows)" for table in result.meta["tables"])
    left = ", ".join(f"{count} {reason}" for reason, count in result.meta["left_out"].items())
    notes = [
        f"Kernel priors {result.meta['name']} of {result.meta['hardware']}: {tables}",
        f"left out: {left or 'none'}",
    ]
    return "\n".join(
        [classes, "", values, "", page.paragraph("; ".join(notes) + "."), "", page.paragraph(CONVENTIONS), ""]
    )
