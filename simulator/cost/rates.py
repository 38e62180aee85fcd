"""What the kernels and links of a deployment achieve under one set of parameters, and the operators made from that.

An achieved rate is a peak of the data sheet times a fitted efficiency. Parameters are read by name, one by one, when an
operator is made: which of them a table depends on is found out by watching the reads
(:mod:`simulator.prediction.intervals`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulator.cost.operator import ONE, Operator, T
from simulator.cost.priors import layered
from simulator.facts.deployment import Deployment
from simulator.facts.formats import BITS_FAMILY, BYTES_PER_PARAM, Format
from simulator.facts.hardware import Hardware
from simulator.units import MICRO, NANO

ACTIVATION_BYTES = BYTES_PER_PARAM["bf16"]
"""Per element of what passes between kernels and between GPUs: BF16 in every checkpoint."""

FIRST_ROWS = 512
"""Rows of a dense matrix product that go at ``first_speed``."""


@dataclass(frozen=True)
class KernelRates:
    """An accelerator and the parameters that say what its kernels achieve.

    A kernel belongs to a family, such as ``dense.fp8`` or ``gdn``, that names its parameters: ``gdn.latency_us``,
    ``gdn.bandwidth_eff`` and, for matrix products, ``gdn.compute_eff``.

    Attributes:
        hardware: one accelerator and its scale-up network.
        parameters: values of all parameters of ``parameters.yaml``, in their units.
    """

    hardware: Hardware
    parameters: Mapping[str, float]

    def seconds(self, name: str) -> float:
        """A latency in seconds; ``name`` is that of the parameter, in microseconds."""
        return self.parameters[name] * MICRO

    def flops(self, fmt: Format, efficiency: str) -> float:
        """FLOP/s with weights stored in ``fmt``; ``efficiency`` is the name of the parameter."""
        return self.hardware.compute_peak(fmt) * self.parameters[efficiency]

    def bandwidth(self, efficiency: str) -> float:
        """HBM byte/s; ``efficiency`` is the name of the parameter."""
        return self.hardware.hbm_bandwidth * self.parameters[efficiency]

    def kernel(
        self,
        family: str,
        name: str,
        count: float,
        flops: Mapping[int, float],
        moved: Mapping[int, float],
        fmt: Format = "bf16",
    ) -> Operator:
        """A kernel that computes in one format and reads or writes HBM.

        Args:
            family: of its parameters.
            name: of the operator.
            count: calls in a pass.
            flops: FLOPs of one call per unit of a load.
            moved: HBM bytes of one call per unit of a load.
            fmt: computed in.
        """
        return Operator(
            name=name,
            resource="HBM",
            count=count,
            latency=self.seconds(f"{family}.latency_us"),
            flops_rate=self.flops(fmt, f"{family}.compute_eff"),
            byte_rate=self.bandwidth(f"{family}.bandwidth_eff"),
            flops=flops,
            bytes=moved,
        )

    def gemm(
        self,
        name: str,
        count: float,
        k: float,
        n: float,
        fmt: Format,
        per: int = T,
        share: float = 1.0,
        copies: float = 1.0,
    ) -> Operator:
        """A dense matrix product ``(tokens, k) x (k, n)`` with the GPU's own k x n weights.

        Args:
            name: of the operator.
            count: calls in a pass.
            k: input channels on one GPU.
            n: output channels on one GPU.
            fmt: of the weights; activations are BF16.
            per: load that counts the rows.
            share: part of the load that this GPU computes.
            copies: products with weights and activations of their own in one call, such as one per head.

        The first :data:`FIRST_ROWS` rows go at a speed of their own: slower where their narrow tiles leave units idle,
        faster where arithmetic hides behind the streaming of weights, which is all that it can hide behind. Both are
        seen in kernel tables.
        """
        weights = k * n * copies
        activations = (k + n) * copies * ACTIVATION_BYTES * share
        family = f"dense.{self.computed(fmt)}"
        return Operator(
            name=name,
            resource="HBM",
            count=count,
            latency=self.seconds(f"{family}.latency_us") + k * self.parameters[f"{family}.depth_ns"] * NANO,
            flops_rate=self.flops(fmt, f"{family}.compute_eff"),
            byte_rate=self.bandwidth(f"{family}.bandwidth_eff"),
            flops={per: 2.0 * weights * share},
            bytes={ONE: weights * BYTES_PER_PARAM[fmt], per: activations},
            bend=FIRST_ROWS / share if per == T else math.inf,
            first_speed=min(self.parameters[f"{family}.first_speed"], self._fastest(family, fmt)),
        )

    def _fastest(self, family: str, fmt: Format) -> float:
        """Speed of the first rows at which these and the streaming of weights take as long as the rows at the peak."""
        efficiency = self.parameters[f"{family}.compute_eff"]
        streaming = BYTES_PER_PARAM[fmt] / self.bandwidth(f"{family}.bandwidth_eff")
        exposed = 1.0 - streaming * self.hardware.compute_peak(fmt) / (2.0 * FIRST_ROWS)
        return 1.0 / (efficiency * exposed) if exposed > 0.0 else math.inf

    def small(self, name: str, count: float, bytes_per_token: float, latency: str = "small.latency_us") -> Operator:
        """Elementwise kernels, whose FLOPs do not count: ``bytes_per_token`` HBM bytes per token and call."""
        return Operator(
            name=name,
            resource="HBM",
            count=count,
            latency=self.seconds(latency),
            flops_rate=self.hardware.peak_flops.bf16,
            byte_rate=self.bandwidth("small.bandwidth_eff"),
            bytes={T: bytes_per_token},
        )

    def routed(
        self,
        count: float,
        fmt: Format,
        columns: float,
        flops: Mapping[int, float],
        moved: Mapping[int, float],
        speed: float = 1.0,
    ) -> Operator:
        """The fused kernel of gate, up and down projection of the experts that the tokens of a pass chose.

        Latency, least time and bandwidth go by the format that the experts are stored in, compute by the one they are
        computed in. Both rates fall with narrow shards: to half at ``narrow_width`` and ``half_width`` columns. Four
        bits without a unit for them are unpacked on the way.

        Args:
            count: calls in a pass.
            fmt: of the experts.
            columns: of one expert on this GPU.
            flops: FLOPs of one call per unit of a load.
            moved: HBM bytes of one call per unit of a load.
            speed: part of both rates that it reaches.
        """
        stored, computed = f"moe.{BITS_FAMILY[fmt]}", f"moe.{self.computed(fmt)}"
        narrow, half = self.parameters[f"{stored}.narrow_width"], self.parameters[f"{computed}.half_width"]
        unpacked = stored == "moe.fp4" and computed != stored
        streaming = self.parameters["moe.unpack_speed"] if unpacked else 1.0
        return Operator(
            name="moe routed experts",
            resource="HBM",
            count=count,
            floor=self.seconds(f"{stored}.floor_us"),
            latency=self.seconds(f"{stored}.latency_us"),
            flops_rate=self.flops(fmt, f"{computed}.compute_eff") * columns / (columns + half) * speed,
            byte_rate=self.bandwidth(f"{stored}.bandwidth_eff") * columns / (columns + narrow) * speed * streaming,
            flops=flops,
            bytes=moved,
        )

    def imbalance(self, groups: int) -> float:
        """Load of the busiest of so many expert-parallel groups over the mean."""
        if groups == 1:
            return 1.0
        return 1.0 + (self.parameters["moe.ep_imbalance"] - 1.0) * math.log2(groups)

    def computed(self, fmt: Format) -> str:
        """The family of the format that weights stored in ``fmt`` are computed in: bf16, fp8 or fp4."""
        return BITS_FAMILY[self.hardware.compute_format(fmt)]

    def collective(self, name: str, count: float, message: Mapping[int, float], gpus: int, passes: int) -> Operator:
        """A collective over ``gpus`` ranks of a ``message`` (bytes of the whole tensor per unit of a load).

        Full mesh: each rank sends S/n to every peer over a link of its own, once per pass (reduce-scatter, all-gather).
        Switch: each rank sends S (n-1)/n through its port, once per pass. An all-reduce is two passes.
        Source: Thakur, Rabenseifner and Gropp, IJHPCA 2005.
        """
        network = self.hardware.scale_up
        share = 1.0 / gpus if network.topology == "full_mesh" else (gpus - 1.0) / gpus
        latency = self.parameters["comm.latency_us"] + self.parameters["comm.doubling_us"] * math.log2(gpus / 2)
        return Operator(
            name=name,
            resource="links",
            count=count,
            latency=latency * MICRO,
            flops_rate=self.hardware.peak_flops.bf16,
            byte_rate=network.bandwidth * self.parameters["comm.bandwidth_eff"],
            bytes={load: passes * amount * share for load, amount in message.items()},
        )

    def quantised(self, plain: Operator, message: Mapping[int, float], bits: float) -> Operator:
        """An all-reduce of a BF16 ``message`` (bytes per unit of a load) that travels with ``bits`` per element.

        Packing keeps up with ``comm.codec_eff`` of the HBM bandwidth, in bytes of the packed tensor, whatever the
        number of ranks: many links wait for it, a single one does not.
        """
        share = bits / (8.0 * ACTIVATION_BYTES)
        moved = {load: amount * share for load, amount in plain.bytes.items()}
        over_links, packed = sum(moved.values()) / plain.byte_rate, sum(message.values()) * share
        slowest = max(over_links, packed / self.bandwidth("comm.codec_eff"))
        return replace(plain, bytes=moved, byte_rate=sum(moved.values()) / slowest)


@dataclass(frozen=True)
class Rates(KernelRates):
    """What the kernels and links of one replica achieve."""

    deployment: Deployment

    def expert_speed(self, fmt: Format, width: int, experts: int) -> float:
        """Of the fused MoE kernel of so many experts on vectors of ``width`` channels: 1 for a tuned one; what is in no
        tuning table runs in a default configuration."""
        untuned = layered(self.hardware).untuned(fmt, width, experts)
        return self.parameters["moe.untuned_speed"] if untuned else 1.0

    @classmethod
    def of(cls, deployment: Deployment, parameters: Mapping[str, float]) -> Rates:
        """The rates of a deployment under one set of parameters."""
        return cls(deployment.hardware, parameters, deployment)


def lossless(parameters: Mapping[str, float]) -> dict[str, float]:
    """The same parameters with every efficiency 1 at any width, so that achieved rates are the hardware's peaks."""
    efficiencies = [name for name in parameters if name.endswith("_eff")]
    widths = [name for name in parameters if name.endswith("_width")]
    speeds = [name for name in parameters if name.endswith("_speed")]
    return dict(parameters) | dict.fromkeys(efficiencies + speeds, 1.0) | dict.fromkeys(widths, 0.0)
