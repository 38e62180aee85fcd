"""The public functions: one per command, with the command's name and defaults, and the few things they need.

Inputs are names and numbers or frozen scenarios; every answer is a :class:`Result`. Rooms are imported on first use, so
that ``import simulator`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.catalogue import profiles
    from simulator.cost.calibration import Calibration, load_calibration
    from simulator.errors import InputError, MachineError
    from simulator.facts.importing.imported import Imported, import_model
    from simulator.facts.launch import resolve_recipe
    from simulator.facts.reading import load_engine, load_hardware, load_model, load_recipe
    from simulator.files.limits import limits
    from simulator.fitting.against import Against, compare_against
    from simulator.fitting.calibrate import Session, calibrate
    from simulator.fitting.evaluate import Evaluation, evaluate
    from simulator.fitting.kernels.build import KernelFit, fit_kernels
    from simulator.fitting.suggest import Suggestions, suggest
    from simulator.measurements.files import parse_measurements, read_measurements, shipped_measurements
    from simulator.measurements.gathering import read_results
    from simulator.planning.answer import Answer
    from simulator.planning.plan import plan
    from simulator.plots.drawing import draw
    from simulator.prediction.agentic import AgenticComparison, compare_agentic
    from simulator.prediction.compare import Matched, compare, compare_tables
    from simulator.prediction.explain import Explanation, explain
    from simulator.prediction.parts import Parts
    from simulator.prediction.recipe_changes import recipe_changes
    from simulator.prediction.replay import Replay, replay
    from simulator.prediction.several import predict
    from simulator.prediction.simulate import Simulation, simulate
    from simulator.results.table import Result, ResultTable
    from simulator.serving.scenario import Scenario, make_scenario
    from simulator.speculation.stated import Acceptance
    from simulator.traffic.describe import TraceSummary, describe_trace
    from simulator.traffic.describe_sessions import SessionsSummary
    from simulator.traffic.formats.own_sessions import write_sessions
    from simulator.traffic.session_files import read_sessions, shipped_sessions
    from simulator.traffic.sessions import Sessions
    from simulator.validation.conversion import Conversion, convert
    from simulator.validation.report import Report
    from simulator.validation.verdict import validate
    from simulator.what_if import (
        Backend,
        Inference,
        Study,
        WideSweep,
        infer_acceptance,
        what_if_acceptance,
        what_if_cache,
        what_if_depth,
        what_if_sensitivity,
        what_if_sweep,
        what_if_workload,
    )
    from simulator.what_if.measured import measured_points

__all__ = [
    "Acceptance",
    "Against",
    "AgenticComparison",
    "Answer",
    "Backend",
    "Calibration",
    "Conversion",
    "Evaluation",
    "Explanation",
    "Imported",
    "Inference",
    "InputError",
    "KernelFit",
    "MachineError",
    "Matched",
    "Parts",
    "Replay",
    "Report",
    "Result",
    "ResultTable",
    "Scenario",
    "Session",
    "Sessions",
    "SessionsSummary",
    "Simulation",
    "Study",
    "Suggestions",
    "TraceSummary",
    "WideSweep",
    "calibrate",
    "compare",
    "compare_against",
    "compare_agentic",
    "compare_tables",
    "convert",
    "describe_trace",
    "draw",
    "evaluate",
    "explain",
    "fit_kernels",
    "import_model",
    "infer_acceptance",
    "limits",
    "load_calibration",
    "load_engine",
    "load_hardware",
    "load_model",
    "load_recipe",
    "make_scenario",
    "measured_points",
    "parse_measurements",
    "plan",
    "predict",
    "profiles",
    "read_measurements",
    "read_results",
    "read_sessions",
    "recipe_changes",
    "replay",
    "resolve_recipe",
    "shipped_measurements",
    "shipped_sessions",
    "simulate",
    "suggest",
    "validate",
    "what_if_acceptance",
    "what_if_cache",
    "what_if_depth",
    "what_if_sensitivity",
    "what_if_sweep",
    "what_if_workload",
    "write_sessions",
]

HOMES = {
    "simulator.catalogue": ("profiles",),
    "simulator.cost.calibration": ("Calibration", "load_calibration"),
    "simulator.errors": ("InputError", "MachineError"),
    "simulator.facts.importing.imported": ("Imported", "import_model"),
    "simulator.facts.launch": ("resolve_recipe",),
    "simulator.facts.reading": ("load_engine", "load_hardware", "load_model", "load_recipe"),
    "simulator.files.limits": ("limits",),
    "simulator.fitting.against": ("Against", "compare_against"),
    "simulator.fitting.calibrate": ("Session", "calibrate"),
    "simulator.fitting.evaluate": ("Evaluation", "evaluate"),
    "simulator.fitting.kernels.build": ("KernelFit", "fit_kernels"),
    "simulator.fitting.suggest": ("Suggestions", "suggest"),
    "simulator.measurements.files": ("parse_measurements", "read_measurements", "shipped_measurements"),
    "simulator.measurements.gathering": ("read_results",),
    "simulator.planning.answer": ("Answer",),
    "simulator.planning.plan": ("plan",),
    "simulator.plots.drawing": ("draw",),
    "simulator.prediction.agentic": ("AgenticComparison", "compare_agentic"),
    "simulator.prediction.compare": ("Matched", "compare", "compare_tables"),
    "simulator.prediction.explain": ("Explanation", "explain"),
    "simulator.prediction.parts": ("Parts",),
    "simulator.prediction.recipe_changes": ("recipe_changes",),
    "simulator.prediction.replay": ("Replay", "replay"),
    "simulator.prediction.several": ("predict",),
    "simulator.prediction.simulate": ("Simulation", "simulate"),
    "simulator.results.table": ("Result", "ResultTable"),
    "simulator.serving.scenario": ("Scenario", "make_scenario"),
    "simulator.speculation.stated": ("Acceptance",),
    "simulator.traffic.describe": ("TraceSummary", "describe_trace"),
    "simulator.traffic.describe_sessions": ("SessionsSummary",),
    "simulator.traffic.formats.own_sessions": ("write_sessions",),
    "simulator.traffic.session_files": ("read_sessions", "shipped_sessions"),
    "simulator.traffic.sessions": ("Sessions",),
    "simulator.validation.conversion": ("Conversion", "convert"),
    "simulator.validation.report": ("Report",),
    "simulator.validation.verdict": ("validate",),
    "simulator.what_if": (
        "Backend",
        "Inference",
        "Study",
        "WideSweep",
        "infer_acceptance",
        "what_if_acceptance",
        "what_if_cache",
        "what_if_depth",
        "what_if_sensitivity",
        "what_if_sweep",
        "what_if_workload",
    ),
    "simulator.what_if.measured": ("measured_points",),
}
"""Room -> the public names that are its own."""


def __getattr__(name: str) -> Any:
    """A name of another room, imported on first use."""
    for module, names in HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
