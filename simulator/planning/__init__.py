"""Capacity planning: the cheapest deployment that keeps latency promises, or the highest rate of so many GPUs."""

from simulator.planning.answer import Answer
from simulator.planning.least_gpus import plan_gpus
from simulator.planning.most_rate import plan_rate

__all__ = ["Answer", "plan_gpus", "plan_rate"]
