"""Options that several commands share, gathered into one object."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.lists import parse_floats, parse_ints
from simulator.cli.numbers import INT, REAL
from simulator.errors import InputError
from simulator.files.limits import within
from simulator.traffic.sweeps import Grid, parse_grid

if TYPE_CHECKING:
    from simulator.serving.scenario import Scenario
    from simulator.speculation.stated import Acceptance

Command = Callable[..., None]


@dataclass(frozen=True)
class Inputs:
    """What the shared options said; see :func:`scenario_options`."""

    hardware: str
    model: str
    precision: str | None
    checkpoint: str | None
    engine: str
    tp: list[int]
    ep: int
    dp: int
    pp: int
    isl: int
    osl: int
    mtp: list[int]
    draft: str | None
    acceptance_length: float | None
    acceptance_rate: float | None
    acceptance: list[float] | None
    acceptance_profile: str | None
    acceptance_positions: str | None
    draft_acceptance: float | None
    calibration: str | None
    force: bool
    kv_dtype: str | None
    allow_dequant: bool
    hit_rate: float
    requests_per_client: int
    range_ratio: float
    recipe: str | None
    recipe_set: tuple[str, ...]

    def scenarios(self) -> list[Scenario]:
        """One scenario per TP and depth; the acceptance goes to the depths above 0.

        Raises:
            InputError: bad input, and probabilities per position with several depths.
        """
        drafting = [k for k in self.mtp if k]
        if len(drafting) > 1:
            for option in (name for name in self.stated.given if name in OF_ONE_DEPTH):
                raise InputError(f"{option}: belongs to one depth, found --mtp {','.join(map(str, self.mtp))}")
        within("points", len(self.tp) * len(self.mtp), "--tp times --mtp")
        return [self.scenario(tp, k) for tp in self.tp for k in self.mtp]

    def with_default_depths(self) -> Inputs:
        """The same, but Off alone where the model has no MTP layer and the user named no depth."""
        from simulator.facts.reading import load_model

        if given("mtp", "draft") or load_model(self.model).draft is not None:
            return self
        return replace(self, mtp=[0])

    def swept(self, sweep: Grid | None) -> Inputs:
        """The same with the TPs of a sweep, which states them together with the concurrencies.

        Raises:
            InputError: ``--tp`` or ``--concurrency`` beside ``--sweep``.
        """
        if sweep is None:
            return self
        for name in given("tp", "concurrency"):
            raise InputError(f"--sweep states TP and clients together, as in 2:4..256: expected no {name} beside it")
        return replace(self, tp=list(sweep.tp))

    def scenario(self, tp: int | None = None, k: int | None = None) -> Scenario:
        """The scenario of one TP and one depth; by default the only ones.

        Raises:
            InputError: bad input.
        """
        from simulator.serving.scenario import make_scenario

        named = {field.name: getattr(self, field.name) for field in fields(self)}
        named["tp"] = _only("--tp", self.tp) if tp is None else tp
        named["mtp"] = _only("--mtp", self.mtp) if k is None else k
        if named["mtp"] == 0 and any(self.mtp):
            named |= NO_ACCEPTANCE
        return make_scenario(**named)

    @property
    def stated(self) -> Acceptance:
        """The acceptance that the user stated."""
        from simulator.speculation.stated import Acceptance

        return Acceptance(**{field: getattr(self, option) for field, option in ACCEPTANCE.items()})

    def unstated(self) -> Inputs:
        """The same without it."""
        return replace(self, **NO_ACCEPTANCE)

    def as_deep_as_stated(self) -> Inputs:
        """The same, of the depth of the positions whose acceptance is stated, if the user named none."""
        depth = None if given("mtp") else self.stated.depth
        return self if depth is None else replace(self, mtp=[depth])


ACCEPTANCE = {
    "length": "acceptance_length",
    "rate": "acceptance_rate",
    "positions": "acceptance",
    "profile": "acceptance_profile",
    "labelled": "acceptance_positions",
    "drafted": "draft_acceptance",
}
"""How an acceptance may be stated, and the argument of :func:`make_scenario` that it is."""
NO_ACCEPTANCE: dict[str, Any] = dict.fromkeys(ACCEPTANCE.values())
OF_ONE_DEPTH = ("--acceptance", "--acceptance-positions", "--draft-acceptance")


def _only(option: str, values: list[int]) -> int:
    if len(values) != 1:
        raise InputError(f"{option}: expected one value here, found {','.join(map(str, values))}")
    return values[0]


def ints(context: click.Context, option: click.Parameter, value: str | None) -> list[int] | None:
    """Click callback: a list of whole numbers."""
    return None if value is None else parse_ints(option.opts[0], value)


def floats(context: click.Context, option: click.Parameter, value: str | None) -> list[float] | None:
    """Click callback: a list of numbers."""
    return None if value is None else parse_floats(option.opts[0], value)


def grid(context: click.Context, option: click.Parameter, value: tuple[str, ...]) -> Grid | None:
    """Click callback: the parts of a sweep."""
    return parse_grid(option.opts[0], value) if value else None


def given(*names: str) -> list[str]:
    """Those of the current command's options that the user wrote, as written in its help."""
    context = click.get_current_context()
    written = {
        p.name: p.opts[0] for p in context.command.params if p.name and context.get_parameter_source(p.name) in WRITTEN
    }
    return [written[name] for name in names if name in written]


WRITTEN = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)


def sweep_option(command: Command) -> Command:
    """The runs, replica size by replica size: ``sweep``, a :class:`~simulator.traffic.sweeps.Grid` or None."""
    option = click.option(
        "--sweep",
        metavar="TP:N,..",
        multiple=True,
        callback=grid,
        help="Instead of --tp and --concurrency, repeatable: --sweep 2:4..256 --sweep 4:4,8,16. A front keeps the best "
        "of what was run, so another sweep gives another front: sweep what the other side swept.",
    )
    return option(command)


def _lower(context: click.Context, option: click.Parameter, value: str) -> str:
    return value.lower()


def scenario_options(*, tp: str = "2", mtp: str = "0") -> Callable[[Command], Command]:
    """All options that say what runs; the command receives them as one :class:`Inputs` named ``inputs``."""
    options: list[Callable[[Command], Command]] = [
        click.option("--hardware", metavar="NAME|FILE", default="mi355x", show_default=True, help="Accelerator."),
        click.option(
            "--model",
            metavar="NAME|FILE",
            default="qwen3.5-397b-a17b",
            show_default=True,
            help="Model: a profile, a repository or a config.json.",
        ),
        click.option("--precision", metavar="bf16|fp8|fp4", help="Weights; fp4 if no checkpoint is named."),
        click.option("--checkpoint", metavar="NAME", help="One checkpoint of the model, instead of a precision."),
        click.option("--engine", metavar="NAME|FILE", default="sglang", show_default=True, help="Serving engine."),
        click.option("--tp", metavar="N,..", default=tp, callback=ints, show_default=True, help="GPUs of a replica."),
        click.option("--ep", metavar="N", type=INT, default=1, show_default=True, help="Expert-parallel ranks in it."),
        click.option("--dp", metavar="N", type=INT, default=1, show_default=True, help="Attention DP ranks in it."),
        click.option("--pp", metavar="N", type=INT, default=1, show_default=True, help="Pipeline stages of TP GPUs."),
        click.option("--isl", metavar="TOKENS", type=INT, default=1024, show_default=True, help="Input length."),
        click.option("--osl", metavar="TOKENS", type=INT, default=1024, show_default=True, help="Output length."),
        click.option(
            "--mtp", metavar="K,..", default=mtp, callback=ints, show_default=True, help="Draft depth; 0 off."
        ),
        click.option(
            "--draft",
            metavar="KIND|FILE",
            help="What drafts: mtp, eagle3, block, ngram, a file, or a small model; default: the model's own.",
        ),
        click.option("--acceptance-length", metavar="X", type=REAL, help="Mean tokens per round, 1 to K+1."),
        click.option(
            "--acceptance-rate",
            metavar="A",
            type=REAL,
            help="One probability for all positions, each given all drafts before it: length (1-A^(K+1))/(1-A).",
        ),
        click.option(
            "--acceptance",
            metavar="A1,..",
            callback=floats,
            help="Probability per position, each given all drafts before it: length 1+A1+A1*A2+..",
        ),
        click.option(
            "--acceptance-positions",
            metavar="DEFINITION:A1,..",
            help="Per position, unconditional:0.9,0.75,0.6 (of all rounds, as vLLM prints: length 1+A1+A2+..) or "
            "conditional:0.9,0.83,0.8 (as --acceptance).",
        ),
        click.option(
            "--draft-acceptance",
            metavar="A",
            type=REAL,
            help="Accepted over drafted tokens, as vLLM prints: length 1+K*A.",
        ),
        click.option("--acceptance-profile", metavar="NAME|FILE", help="Acceptance on other text: a table of lengths."),
        click.option("--calibration", metavar="NAME|FILE", help="Default: the shipped one that matches, else priors."),
        click.option("--force", is_flag=True, help="Apply a calibration outside what it was fitted to."),
        click.option("--kv-dtype", metavar="FORMAT", help="KV cache: bf16 or fp8; default: the engine's."),
        click.option("--allow-dequant", is_flag=True, help="Compute in a wider format if the hardware lacks one."),
        click.option(
            "--hit-rate",
            metavar="X",
            type=REAL,
            default=0.0,
            show_default=True,
            help="Part of each prompt that the prefix cache holds: attended to, but not computed.",
        ),
        click.option(
            "--requests-per-client", metavar="N", type=INT, default=10, show_default=True, help="Sent by each."
        ),
        click.option(
            "--range-ratio",
            metavar="R",
            type=REAL,
            default=0.8,
            show_default=True,
            help="Lengths are R x L to L, uniform; 1: fixed.",
        ),
        click.option(
            "--recipe",
            metavar="NAME|FILE",
            help="How the engine was launched (mtpsim profiles recipe); default: by hardware, precision and drafts.",
        ),
        click.option(
            "--recipe-set", metavar="KEY=VALUE", multiple=True, help="One setting over the recipe's; repeatable."
        ),
    ]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(**arguments: Any) -> None:
            inputs = Inputs(**{field.name: arguments.pop(field.name) for field in fields(Inputs)})
            command(inputs=inputs, **arguments)

        return _apply(options, wrapped)

    return decorate


def run_options(command: Command) -> Command:
    """How to predict: ``method``, ``seed`` and ``cost_basis``."""
    return _apply(
        [
            click.option(
                "--cost-basis",
                metavar="NAME",
                default="hyperscaler",
                callback=_lower,
                show_default=True,
                help="hyperscaler, neocloud or rental.",
            ),
            click.option(
                "--method",
                metavar="des|closed-form",
                default="des",
                callback=_lower,
                show_default=True,
                help="Discrete events, or a formula.",
            ),
            click.option("--seed", metavar="N", type=INT, default=0, show_default=True, help="Lengths and drafts."),
        ],
        command,
    )


def kv_bandwidth_option(command: Command) -> Command:
    """The network between pools: ``kv_bandwidth``, GB/s."""
    option = click.option(
        "--kv-bandwidth",
        metavar="GB/s",
        type=REAL,
        default=50.0,
        show_default=True,
        help="Per GPU between pools, one way: one 400 Gb/s port.",
    )
    return option(command)


def pool_options(command: Command) -> Command:
    """A pool that prefills: ``prefill_tp``, ``prefill_replicas`` and ``kv_bandwidth``."""
    return _apply(
        [
            click.option(
                "--prefill-tp", metavar="N", type=INT, help="TP of a pool that only prefills; the others then decode."
            ),
            click.option(
                "--prefill-replicas",
                metavar="N",
                type=INT,
                default=1,
                show_default=True,
                help="Replicas of that pool.",
            ),
            kv_bandwidth_option,
        ],
        command,
    )


def output_options(command: Command) -> Command:
    """Where results go: ``form``, ``output`` and ``plot``."""
    return _apply(
        [
            click.option("--plot", metavar="FILE.png|svg|pdf", help="Draw a picture too."),
            click.option(
                "--format",
                "form",
                type=click.Choice(["table", "json", "csv"], case_sensitive=False),
                default="table",
                show_default=True,
            ),
            click.option("--output", metavar="FILE", help="Write there instead of the terminal."),
        ],
        command,
    )


def _apply(options: list[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
