"""The closed-form companion of the open loop: one replica in steady state, for pruning searches of millions.

Against discrete events of one replica under Poisson arrivals up to 85 % of the knee, with 8k prompts: the knee and the
mean TPOT within 4 %, p95 TPOT 16 % low at worst, p99 TTFT within 15 % while slots do not run short; several short
prompts per prefill and queues for slots are farther off. ``tests/serving/test_fleet_theory.py`` holds it to that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from simulator import kernels as kn
from simulator.serving.replica import Replica
from simulator.speculation.acceptance import Speculation
from simulator.speculation.rounds import round_moments

NORMAL = NormalDist()


@dataclass(frozen=True)
class SteadyState:
    """Steady state of one replica: rates in requests/s, times in seconds, ``batch`` the mean number decoding.

    ``capacity`` is the knee: the rate at which the queue begins to grow. ``load`` is rate / capacity.
    """

    capacity: float
    load: float
    batch: float
    base: float
    step: float
    prefill_load: float
    prefill_decay: float
    slot_wait: float
    slot_decay: float
    stay: float
    stay_sd: float
    rounds_cv: float
    output: float
    output_sd: float

    @property
    def stable(self) -> bool:
        """Whether the queue stays finite."""
        return self.load < 1.0

    def ttft(self, percentile: float) -> float:
        """A percentile of the time to first token, seconds; infinite beyond the knee."""
        if not self.stable:
            return math.inf
        late = 1.0 - percentile / 100.0
        prefill = max(0.0, math.log(max(self.prefill_load, 1e-12) / late)) / self.prefill_decay
        slot = max(0.0, math.log(max(self.slot_wait, 1e-12) / late)) / max(self.slot_decay, 1e-9)
        return self.base + self.step * percentile / 100.0 + max(prefill, slot)

    def tpot(self, percentile: float) -> float:
        """A percentile of the time per output token, seconds; infinite beyond the knee."""
        if not self.stable:
            return math.inf
        tokens = max(self.output - 1.0, 1.0)
        sd = math.hypot(self.stay_sd, self.rounds_cv * self.stay)
        return max(0.0, self.stay + NORMAL.inv_cdf(percentile / 100.0) * sd) / tokens

    def e2e(self, percentile: float) -> float:
        """A percentile of the end-to-end latency, seconds; infinite beyond the knee."""
        if not self.stable:
            return math.inf
        sd = math.hypot(self.stay_sd, self.stay * math.hypot(self.rounds_cv, self.output_sd / max(self.output, 1.0)))
        return self.ttft(50.0) + self.stay + NORMAL.inv_cdf(percentile / 100.0) * sd

    def latency(self, metric: str, percentile: float) -> float:
        """A percentile of ``ttft``, ``tpot`` or ``e2e``, seconds."""
        value: float = getattr(self, metric)(percentile)
        return value


def steady_state(
    replica: Replica, speculation: Speculation, cap: int, moments: tuple[float, float, float, float], rate: float
) -> SteadyState:
    """Steady state of one replica at ``rate`` requests/s; ``moments``: mean and sd of input, then of output tokens."""
    prompt, prompt_sd, output, output_sd = moments
    rounds = round_moments(output, speculation)
    rounds_cv = math.sqrt(rounds.variance) / rounds.mean if rounds.mean else 0.0
    out = kn.zero(kn.OpenForm)
    kn.open_form(
        replica.target,
        replica.draft,
        replica.constants,
        rate,
        prompt,
        prompt_sd / prompt,
        output,
        rounds.mean,
        float(cap),
        out,
    )
    return SteadyState(
        capacity=float(out.capacity),
        load=float(out.load),
        batch=float(out.batch),
        base=float(out.start),
        step=float(out.step),
        prefill_load=float(out.prefill_load),
        prefill_decay=float(out.prefill_decay),
        slot_wait=float(out.slot_wait),
        slot_decay=float(out.slot_decay),
        stay=float(out.stay),
        stay_sd=float(out.stay_sd),
        rounds_cv=rounds_cv,
        output=output,
        output_sd=output_sd,
    )
