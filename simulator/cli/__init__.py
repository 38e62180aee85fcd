"""``mtpsim``: the command line. A command is one line in :data:`COMMANDS`; its module is imported when it runs."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from simulator.cli.insisting import insisting
from simulator.cli.stopping import status_of, stop_behind, told, watch_signals
from simulator.cli.streams import complain, is_lost, lost, report, say, silence, take_places
from simulator.errors import InputError, MachineError, unknown_name
from simulator.files.writing import written

COMMANDS: dict[str, tuple[str, str]] = {
    "predict": ("simulator.cli.predict:predict", "What an engine delivers at each concurrency, with and without MTP."),
    "compare": ("simulator.cli.compare:compare", "MTP against Off at matched interactivity."),
    "explain": ("simulator.cli.explain:explain", "Where the time of one configuration goes, operator by operator."),
    "calibrate": ("simulator.cli.calibrate:calibrate", "Fit the physical parameters to measured points."),
    "fit-kernels": ("simulator.cli.fit_kernels:fit_kernels", "Fit the priors of an accelerator to its kernel times."),
    "evaluate": ("simulator.cli.evaluate:evaluate", "Predict every row of a measured file and report the errors."),
    "convert": ("simulator.cli.convert:convert", "Result files of benchmark tools as rows of our CSV."),
    "validate": ("simulator.cli.validate:validate", "Check whether a measured curve is possible and plausible."),
    "what-if": ("simulator.cli.what_if:what_if", "Acceptance, depth, workload, sensitivity: when does MTP pay?"),
    "infer-acceptance": (
        "simulator.cli.infer_acceptance:infer_acceptance",
        "The acceptance length that a measured MTP/Off pair implies.",
    ),
    "simulate": ("simulator.cli.simulate:simulate", "Open-loop traffic against one replica or a fleet."),
    "replay": ("simulator.cli.replay:replay", "Recorded sessions of agents against a replica with its prefix cache."),
    "describe-trace": (
        "simulator.cli.describe_trace:describe_trace",
        "Requests, rate, lengths, burstiness and shared prefixes of a trace.",
    ),
    "plan": ("simulator.cli.plan:plan", "The cheapest deployment that keeps latency promises."),
    "suggest": ("simulator.cli.suggest:suggest", "Which next measurement would narrow a prediction most."),
    "import-model": (
        "simulator.cli.import_model:import_model",
        "Make a model profile from a Hugging Face configuration.",
    ),
    "page": ("simulator.cli.page:page", "The live chart as one file that opens offline."),
    "serve": ("simulator.cli.serve:serve", "The live chart computed as its controls move, and a JSON API."),
    "profiles": ("simulator.cli.profiles:profiles", "List and show the profiles that ship, and your own."),
}
"""Name -> (module:command, one line of help)."""

NO_ARGUMENTS: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""What click raises for a group without a command since 8.2; 8.1 prints the help itself and exits with 0."""


class LazyGroup(click.Group):
    """A group that imports a command only to run it or to print its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command.

        Raises:
            InputError: no such command; the nearest is offered.
        """
        if cmd_name not in COMMANDS:
            raise unknown_name("command", cmd_name, COMMANDS)
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return insisting(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with one line each, none imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="mtpsim", message="mtpsim %(version)s")
def group() -> None:
    """Predict what an LLM serving engine delivers, with and without multi-token prediction, without a GPU.

    \b
    mtpsim predict --mtp 0,3              MI355X, Qwen3.5-397B-A17B in FP4, SGLang
    mtpsim compare --at 44,64,84          MTP against Off, both at their best
    """


def main() -> int:
    """The ``mtpsim`` command: :func:`run` on the arguments of the process, and nothing after it.

    A command is over before a search for cycles of garbage would pay, so there is none, neither during imports nor at
    the end: that is a third of the time of a short run.
    """
    gc.disable()
    take_places()
    watch_signals()
    status = run(sys.argv[1:])
    gc.freeze()
    return status


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status: 0 done, 1 the machine's fault or ours, 2 bad input, 130
    interrupted, 143 terminated."""
    with written() as files:
        try:
            return _answer(arguments)
        except (KeyboardInterrupt, click.Abort) as fault:
            return _interrupted(fault, files)
        except BrokenPipeError:
            silence(sys.stdout)
            return 0
        except MachineError as fault:
            return _fail(fault, files)
        except Exception as fault:
            if (stop := stop_behind(fault)) is not None:
                return _interrupted(stop, files)
            if isinstance(fault, OSError) and is_lost(fault):
                return _fail(lost(fault), files)
            return _admit(fault, arguments)


def _answer(arguments: Sequence[str]) -> int:
    """Exit status of one command line, bad input included."""
    try:
        with group.make_context("mtpsim", list(arguments)) as context:
            group.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except NO_ARGUMENTS as fault:
        say(fault.format_message())
    except click.UsageError as fault:
        path = fault.ctx.command_path if fault.ctx is not None else "mtpsim"
        return _refuse(f"{fault.format_message()} (see {path} --help)")
    except click.ClickException as fault:
        return _refuse(fault.format_message())
    except InputError as fault:
        return _refuse(str(fault))
    return 0


def _admit(fault: Exception, arguments: Sequence[str]) -> int:
    from simulator.cli.unexpected import unexpected

    silence(sys.stdout)
    report(unexpected(fault, arguments))
    return 1


def _interrupted(fault: BaseException, files: list[str]) -> int:
    silence(sys.stdout)
    kept = told(fault, files)
    complain(f"interrupted; {kept}" if kept else "interrupted, nothing written")
    return status_of(fault)


def _fail(fault: MachineError, files: list[str]) -> int:
    silence(sys.stdout)
    kept = told(fault, files)
    complain(f"error: {fault}{'; ' if kept else ''}{kept}")
    return 1


def _refuse(message: str) -> int:
    complain(f"error: {message}")
    return 2
