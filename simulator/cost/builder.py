"""Operators of a deployment."""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.cost.operator import KV, ONE, QK, ST, D, L, Operator, T
from simulator.facts.deployment import Deployment
from simulator.facts.formats import BITS_FAMILY, BYTES_PER_PARAM
from simulator.units import MICRO

BF16_BYTES = 2.0


GDN_CHUNK = 64
"""Tokens per chunk of the chunked delta rule (flash-linear-attention's default)."""


class OperatorBuilder:
    """Builds the operators of the target and of the draft for one deployment and one set of parameters."""

    def __init__(self, deployment: Deployment, parameters: Mapping[str, float]) -> None:
        """``parameters``: values of all parameters of ``parameters.yaml``, in their units."""
        self.d = deployment
        self.p = parameters
        self.hw = deployment.hardware
        self.attention_tp = deployment.tp // deployment.dp

    def target(self) -> list[Operator]:
        """Operators of one forward pass of the target model."""
        m, w = self.d.model, self.d.weights
        fused = w.fused_shared_expert
        ops = self._attention(m.full_layers, w.attention)
        if m.gdn is not None:
            ops += self._gdn(m.gdn_layers, w.gdn)
        ops += self._moe(m.layers, w.routed_experts, w.shared_expert, fused)
        ops += self._lm_head(w.lm_head)
        ops += self._reduce(m.layers)
        return ops

    def draft(self) -> list[Operator]:
        """Operators of one forward pass of the MTP draft: projection, full-attention MoE layers, the target's
        lm_head."""
        m, w = self.d.model, self.d.weights
        n = m.mtp_layers
        ops = [self._dense("draft projection", n, 2 * m.hidden, m.hidden / self.d.tp, w.draft_dense)]
        ops += self._attention(n, w.draft_dense)
        ops += self._moe(
            n, w.draft_experts, w.draft_experts, w.fused_shared_expert and w.draft_experts == w.routed_experts
        )
        ops += self._lm_head(w.lm_head)
        ops += self._reduce(n)
        return ops

    def compute_format(self, fmt: str) -> str:
        """The format the hardware computes in: the stored one, or the next wider one it has."""
        wider = {"mxfp4": "fp8", "nvfp4": "fp8", "fp8": "bf16"}
        while self.hw.peak(fmt) is None:
            fmt = wider[fmt]
        return fmt

    def _rate(self, fmt: str, efficiency: float) -> float:
        peak = self.hw.peak(self.compute_format(fmt))
        assert peak is not None
        return peak * efficiency

    def _dense(
        self, name: str, count: float, k: float, n: float, fmt: str, per: int = T, scale: float = 1.0
    ) -> Operator:
        weights = k * n
        activations = (k + n) * BF16_BYTES * scale
        return Operator(
            name=name,
            resource="HBM",
            count=count,
            latency=self.p["dense.latency_us"] * MICRO,
            flops_rate=self._rate(fmt, self.p["dense.compute_eff"]),
            byte_rate=self.hw.hbm_bandwidth * self.p["dense.bandwidth_eff"],
            flops={per: 2.0 * weights * scale},
            bytes={ONE: weights * BYTES_PER_PARAM[fmt], per: activations},
        )

    def _small(self, name: str, count: float, bytes_per_token: float) -> Operator:
        return Operator(
            name=name,
            resource="HBM",
            count=count,
            latency=self.p["small.latency_us"] * MICRO,
            flops_rate=self.hw.peak_flops.bf16,
            byte_rate=self.hw.hbm_bandwidth * self.p["small.bandwidth_eff"],
            bytes={T: bytes_per_token},
        )

    def _attention(self, layers: float, fmt: str) -> list[Operator]:
        if layers == 0:
            return []
        m, a, tp, dp = self.d.model, self.d.model.attention, self.attention_tp, self.d.dp
        heads = a.query_heads / tp
        kv_heads = max(1.0, a.kv_heads / tp)
        q_width = heads * a.head_dim * (2 if a.output_gate else 1)
        kv_width = 2 * kv_heads * a.head_dim
        kv_bytes = kv_width * BYTES_PER_PARAM[self.d.kv_format]
        core = Operator(
            name="attention (KV cache)",
            resource="HBM",
            count=layers,
            latency=self.p["attention.latency_us"] * MICRO,
            flops_rate=self.hw.peak_flops.bf16 * self.p["attention.compute_eff"],
            byte_rate=self.hw.hbm_bandwidth * self.p["attention.bandwidth_eff"],
            flops={QK: 4.0 * heads * a.head_dim / dp},
            bytes={KV: kv_bytes / dp, T: kv_bytes / dp},
        )
        quantise = 1 if fmt != "bf16" else 0
        return [
            self._dense("attention qkv", layers, m.hidden, q_width + kv_width, fmt, scale=1 / dp),
            core,
            self._dense("attention out", layers, heads * a.head_dim, m.hidden, fmt, scale=1 / dp),
            self._small(
                "attention norm, rope, gate", (4 + quantise) * layers, 4 * heads * a.head_dim * BF16_BYTES / dp
            ),
        ]

    def _gdn(self, layers: float, fmt: str) -> list[Operator]:
        m, g, tp, dp = self.d.model, self.d.model.gdn, self.attention_tp, self.d.dp
        assert g is not None
        key, value = g.key_heads * g.key_dim / tp, g.value_heads * g.value_dim / tp
        heads = g.value_heads / tp
        state_bytes = 2.0 if self.d.engine.state_dtype == "bf16" else 4.0
        conv_bytes = (2 * key + value) * (g.conv_kernel - 1) * BF16_BYTES
        state = heads * g.key_dim * g.value_dim * state_bytes + conv_bytes
        # chunked delta rule: state update and read-out (4 d_k d_v) plus the products inside a chunk of C tokens
        flops = heads * (6.0 * g.key_dim * g.value_dim + GDN_CHUNK * (3.0 * g.key_dim + 2.0 * g.value_dim))
        core = Operator(
            name="gated delta rule (state)",
            resource="HBM",
            count=layers,
            latency=self.p["gdn.latency_us"] * MICRO,
            flops_rate=self.hw.peak_flops.bf16 * self.p["gdn.compute_eff"],
            byte_rate=self.hw.hbm_bandwidth * self.p["gdn.bandwidth_eff"],
            flops={T: flops / dp},
            bytes={ST: state / dp, T: (2 * key + 2 * value) * BF16_BYTES / dp},
        )
        quantise = 1 if fmt != "bf16" else 0
        return [
            self._dense("gdn qkvz", layers, m.hidden, 2 * key + 2 * value, fmt, scale=1 / dp),
            self._dense("gdn beta, decay", layers, m.hidden, 2 * heads, "bf16", scale=1 / dp),
            core,
            self._dense("gdn out", layers, value, m.hidden, fmt, scale=1 / dp),
            self._small("gdn convolution, norm, gate", (3 + quantise) * layers, 3 * (key + value) * BF16_BYTES / dp),
        ]

    def _moe(self, layers: float, fmt: str, shared_fmt: str, fused: bool) -> list[Operator]:
        m, e, tp, ep = self.d.model, self.d.model.moe, self.d.tp, self.d.ep
        width = e.intermediate / (tp / ep)
        imbalance = self.p["moe.ep_imbalance"] if ep > 1 else 1.0
        params = 3.0 * m.hidden * e.intermediate
        group = BITS_FAMILY[fmt]
        active = e.top_k + (e.shared_intermediate / e.intermediate if fused else 0.0)
        half = self.p["moe.half_width"]
        expert_bytes = params * BYTES_PER_PARAM[fmt] / tp
        always = expert_bytes * e.shared_intermediate / e.intermediate if fused else 0.0
        compute = self.compute_format(fmt)
        ops = [
            self._dense("moe router", layers, m.hidden, e.experts, "bf16"),
            Operator(
                name="moe sort and quantise",
                resource="HBM",
                count=layers,
                latency=self.p["moe.prep_us"] * MICRO,
                flops_rate=self.hw.peak_flops.bf16,
                byte_rate=self.hw.hbm_bandwidth * self.p["small.bandwidth_eff"],
                bytes={T: 2 * m.hidden * BF16_BYTES},
            ),
            Operator(
                name="moe routed experts",
                resource="HBM",
                count=layers,
                floor=self.p[f"moe.{group}.floor_us"] * MICRO,
                latency=self.p[f"moe.{group}.latency_us"] * MICRO,
                flops_rate=self._rate(fmt, self.p[f"moe.{BITS_FAMILY[compute]}.compute_eff"]) * width / (width + half),
                byte_rate=self.hw.hbm_bandwidth * self.p[f"moe.{group}.bandwidth_eff"],
                flops={T: 2.0 * params * active / tp * imbalance},
                bytes={D: expert_bytes * imbalance, ONE: always},
            ),
            self._small("moe top-k, gate, add", (3 if fused else 6) * layers, 3 * m.hidden * BF16_BYTES),
        ]
        if e.shared_intermediate and not fused:
            ops += [
                self._dense("shared expert up, gate", layers, m.hidden, 2 * e.shared_intermediate / tp, shared_fmt),
                self._dense("shared expert down", layers, e.shared_intermediate / tp, m.hidden, shared_fmt),
            ]
        return ops

    def _lm_head(self, fmt: str) -> list[Operator]:
        m, tp = self.d.model, self.d.tp
        head = self._dense("lm head", 1, m.hidden, m.vocabulary / tp, fmt, per=L)
        if tp == 1:
            return [head]
        gather = self._collective("logits all-gather", 1, {L: m.vocabulary * BF16_BYTES}, tp, passes=1)
        return [head, gather]

    def _reduce(self, layers: float) -> list[Operator]:
        """Two reductions per layer: after attention and after the experts."""
        m, tp = self.d.model, self.d.tp
        message = {T: m.hidden * BF16_BYTES}
        if tp == 1:
            return []
        if self.d.dp == 1:
            return [self._collective("all-reduce", 2 * layers, message, tp, passes=2)]
        # attention data parallel: gather tokens for the experts, scatter the sums back; reduce inside an attention
        # group
        ops = [
            self._collective("all-gather to experts", layers, message, tp, passes=1),
            self._collective("reduce-scatter from experts", layers, message, tp, passes=1),
        ]
        if self.attention_tp > 1:
            inner = {T: m.hidden * BF16_BYTES / self.d.dp}
            ops.append(self._collective("all-reduce in attention group", layers, inner, self.attention_tp, passes=2))
        return ops

    def _collective(self, name: str, count: float, message: Mapping[int, float], gpus: int, passes: int) -> Operator:
        """A collective over ``gpus`` ranks of a ``message`` (bytes of the whole tensor per load).

        Full mesh: each rank sends S/n to every peer over a link of its own, once per pass (reduce-scatter, all-gather).
        Switch: each rank sends S (n-1)/n through its port, once per pass.
        """
        eff = self.hw.scale_up.bandwidth * self.p["comm.bandwidth_eff"]
        share = 1.0 / gpus if self.hw.scale_up.topology == "full_mesh" else (gpus - 1.0) / gpus
        return Operator(
            name=name,
            resource="links",
            count=count,
            latency=(self.p["comm.latency_us"] + self.p["comm.doubling_us"] * math.log2(gpus)) * MICRO,
            flops_rate=self.hw.peak_flops.bf16,
            byte_rate=eff,
            bytes={load: passes * amount * share for load, amount in message.items()},
        )
