"""Capacity planning: the cheapest deployment that keeps latency promises, or the highest rate of so many GPUs."""

from simulator.planning.answer import Answer
from simulator.planning.capacity import plan_rate
from simulator.planning.search import plan_gpus

__all__ = ["Answer", "plan_gpus", "plan_rate"]
