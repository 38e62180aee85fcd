"""All kinds of input."""

from fuzzing.command_lines import options
from fuzzing.configurations import configuration
from fuzzing.inputs import CLOSED, JOURNAL, KINDS, Input, at, make, wheel
from fuzzing.measured import csv
from fuzzing.profiles import acceptance, calibration, engine, hardware, model
from fuzzing.resuming import HARMLESS, PLAN, SWEEP, resume
from fuzzing.traffic import jsonl, sessions, trace

__all__ = [
    "CLOSED", "HARMLESS", "JOURNAL", "KINDS", "PLAN", "SWEEP", "Input", "acceptance", "at", "calibration",
    "configuration", "csv", "engine",
    "hardware", "jsonl", "make", "model", "options", "resume", "sessions", "trace", "wheel",
]  # fmt: skip
