"""Classes of kernels: which rows of a table each has, and what the cost model says that they take.

A class makes the operator of the cost model itself, so that what is fitted here is what predicts there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.cost.loads import Routing
from simulator.cost.mixers.attention import walk
from simulator.cost.mixers.gated_delta_net import moved_per_token, prefill_flops
from simulator.cost.operator import KV, LOADS, ONE, QK, ST, D, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, KernelRates
from simulator.facts.formats import BITS_FAMILY, BYTES_PER_PARAM, Format
from simulator.facts.hardware import Hardware
from simulator.facts.layers import GatedDeltaNet
from simulator.fitting.kernels.table import FORMATS, KernelRow, main_implementation
from simulator.units import MEBI

Loads = NDArray[np.float64]

BENCH_SKEW = 1.1
"""Squared coefficient of variation of the expert popularity behind ``power_law_1.01`` (kernels_nvidia_README.md)."""
LARGE = 4 * MEBI
"""Bytes of a message from which a quantised all-reduce shows its rate; below, its start-up of some 20 us."""
FUSED = "fused with the norm"
"""Note of an all-reduce that normalises as well."""
SMALL_BATCH = 8
"""Sequences up to which a small kernel takes its least time."""


def loads_of(**amounts: float) -> Loads:
    """The loads of one call by name, ONE included, shape (LOADS,)."""
    out = np.zeros(LOADS)
    out[ONE] = 1.0
    places = {"T": T, "QK": QK, "KV": KV, "ST": ST, "D": D}
    for name, amount in amounts.items():
        out[places[name]] = amount
    return out


@dataclass(frozen=True)
class KernelClass(ABC):
    """One kind of kernel in one number format.

    Attributes:
        title: of the class, for people.
        fmt: number format, a value of :data:`simulator.facts.formats.Format`.
    """

    title: str
    fmt: Format

    @abstractmethod
    def rows(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """The rows of a table that are of this class."""

    def others(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """Rows of other implementations that an engine might run as well: the spread is to cover them."""
        return []

    @abstractmethod
    def parameters(self, hardware: Hardware) -> list[str]:
        """Names of the parameters that its times depend on."""

    def each(self, row: KernelRow) -> float:
        """Cached tokens in one read of a sequence."""
        return 0.0

    @abstractmethod
    def operator(self, row: KernelRow, rates: KernelRates) -> Operator:
        """The call as an operator of the cost model."""

    @abstractmethod
    def loads(self, row: KernelRow, rates: KernelRates) -> Loads:
        """What the call has to do."""

    def shape(self, row: KernelRow) -> tuple[float, ...]:
        """What is the same in rows that differ in their load alone."""
        return tuple(
            row.get(c, 0.0) for c in ("tp", "ep", "gpus", "n", "k", "heads", "hidden", "intermediate", "experts")
        )


def _of(table: Sequence[KernelRow], kernel: str, fmt: Format, needs: Sequence[str]) -> list[KernelRow]:
    """Rows of one kernel in one format that state what is needed and compute in the format that is stored."""
    return [
        row
        for row in table
        if row.kernel == kernel
        and FORMATS.get(row.precision) == fmt
        and FORMATS.get(row.words["activation"] or row.precision) == fmt
        and all(column in row.numbers for column in needs)
    ]


class FusedMoE(KernelClass):
    """Both expert GEMMs of one layer on one GPU."""

    NEEDS = ("tokens", "hidden", "intermediate", "experts", "top_k")

    def rows(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """Rows of ``fused_moe``."""
        return main_implementation(_of(table, "fused_moe", self.fmt, self.NEEDS))

    def parameters(self, hardware: Hardware) -> list[str]:
        """Those of the fused kernel, and how uneven expert-parallel ranks are."""
        stored, computed = BITS_FAMILY[self.fmt], BITS_FAMILY[hardware.compute_format(self.fmt)]
        names = [f"moe.{stored}.{n}" for n in ("bandwidth_eff", "narrow_width", "latency_us", "floor_us")]
        return [*names, f"moe.{computed}.compute_eff", f"moe.{computed}.half_width", "moe.ep_imbalance"]

    def operator(self, row: KernelRow, rates: KernelRates) -> Operator:
        """The fused kernel of a GPU that has 1 / ep of the experts; a shared expert (an odd number of experts) is one
        that every token chooses."""
        columns = row["intermediate"] / row.get("tp", 1.0)
        parameters = 3.0 * row["hidden"] * columns
        uneven = self._uneven(row, rates)
        routes = row["top_k"] / row.get("ep", 1.0)
        size = parameters * BYTES_PER_PARAM[self.fmt]
        return rates.routed(1.0, self.fmt, columns, {T: 2.0 * parameters * routes * uneven}, {D: size * uneven})

    def loads(self, row: KernelRow, rates: KernelRates) -> Loads:
        """Tokens, and the experts that they touch on this GPU."""
        tokens, top_k, experts = row["tokens"], row["top_k"], row["experts"]
        shared = 1.0 if experts % 2 else 0.0
        experts, top_k = experts - shared, top_k - shared
        if row.words["distribution"] == "balanced":
            touched = min(experts, tokens * top_k)
        else:
            skew = BENCH_SKEW if row.words["distribution"] else 0.0
            touched = Routing(int(experts), int(top_k), skew, 0.0).distinct(tokens, tokens)
        return loads_of(T=tokens, D=touched / row.get("ep", 1.0) + shared)

    def _uneven(self, row: KernelRow, rates: KernelRates) -> float:
        even = row.words["distribution"] in ("", "balanced")
        return 1.0 if even else rates.imbalance(int(row.get("ep", 1.0)))


GEMM_PARAMETERS = ("bandwidth_eff", "compute_eff", "latency_us", "depth_ns", "first_speed")


class Gemm(KernelClass):
    """A dense matrix product."""

    def rows(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """Rows of ``gemm``."""
        return main_implementation(_of(table, "gemm", self.fmt, ("tokens", "n", "k")))

    def parameters(self, hardware: Hardware) -> list[str]:
        """Those of dense GEMMs in the format."""
        family = BITS_FAMILY[hardware.compute_format(self.fmt)]
        return [f"dense.{family}.{n}" for n in GEMM_PARAMETERS]

    def operator(self, row: KernelRow, rates: KernelRates) -> Operator:
        """A GEMM of ``k`` inputs and ``n`` outputs."""
        return rates.gemm("gemm", 1.0, row["k"], row["n"], self.fmt)

    def loads(self, row: KernelRow, rates: KernelRates) -> Loads:
        """Tokens."""
        return loads_of(T=row["tokens"])


class Attention(KernelClass):
    """Decode and prefill attention over a KV cache in one format, without projections."""

    def rows(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """Rows of ``attention_decode`` and ``attention_prefill`` whose precision ends in ``kv_`` and the format."""
        needs = ("batch", "context", "heads", "kv_heads", "head_dim")
        found: list[KernelRow] = []
        for kernel in ("attention_decode", "attention_prefill"):
            found += main_implementation(
                [
                    row
                    for row in table
                    if row.kernel == kernel
                    and row.precision.endswith(f"kv_{self.fmt}")
                    and all(column in row.numbers for column in needs)
                ]
            )
        return found

    def parameters(self, hardware: Hardware) -> list[str]:
        """Those of attention in the format."""
        family = BITS_FAMILY[hardware.compute_format(self.fmt)]
        return [f"attention.{family}.{n}" for n in ("bandwidth_eff", "latency_us", "compute_eff", "walk_ns")]

    def operator(self, row: KernelRow, rates: KernelRates) -> Operator:
        """As :func:`simulator.cost.attention.operators` makes it; 4 FLOPs per query-key pair and channel."""
        width, kv = row["heads"] * row["head_dim"], 2.0 * row["kv_heads"] * row["head_dim"] * BYTES_PER_PARAM[self.fmt]
        family = f"attention.{rates.computed(self.fmt)}"
        core = rates.kernel(family, "attention", 1.0, {QK: 4.0 * width}, {KV: kv, T: kv}, self.fmt)
        return replace(core, walk=walk(int(row["head_dim"]), family, rates))

    def each(self, row: KernelRow) -> float:
        """The context of a decode."""
        return row["context"] if row.kernel == "attention_decode" else 0.0

    def loads(self, row: KernelRow, rates: KernelRates) -> Loads:
        """Of a decode the cache that it reads, of a prefill the lower triangle of pairs."""
        batch, context = row["batch"], row["context"]
        if row.kernel == "attention_decode":
            return loads_of(KV=batch * context, QK=batch * context)
        return loads_of(T=batch * context, QK=0.5 * batch * context * context)

    def shape(self, row: KernelRow) -> tuple[float, ...]:
        """Heads and width."""
        return (row["heads"], row["kv_heads"], row["head_dim"], float(row.kernel == "attention_decode"))


class DeltaNet(KernelClass):
    """The gated delta rule: one step in decode, in chunks in prefill."""

    STEP, CHUNKED = "gdn_fused_recurrent_gated_delta_rule_packed_decode", "gdn_chunk_gated_delta_rule"

    def rows(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """Rows of the recurrent and of the chunked kernel."""
        needs = ("tokens", "heads", "kv_heads", "head_dim")
        found: list[KernelRow] = []
        for kernel in (self.STEP, self.CHUNKED):
            found += main_implementation(_of(table, kernel, self.fmt, needs))
        return [row for row in found if row.kernel == self.STEP or row["tokens"] >= LONG]

    def parameters(self, hardware: Hardware) -> list[str]:
        """Those of the delta rule."""
        return ["gdn.bandwidth_eff", "gdn.latency_us", "gdn.compute_eff"]

    def operator(self, row: KernelRow, rates: KernelRates) -> Operator:
        """A layer of so many value heads (``heads``) and key heads (``kv_heads``) on this GPU."""
        layer = GatedDeltaNet(
            key_heads=int(row["kv_heads"]),
            key_dim=int(row["head_dim"]),
            value_heads=int(row["heads"]),
            value_dim=int(row["head_dim"]),
            conv_kernel=4,
        )
        state = row["heads"] * row["head_dim"] ** 2 * ACTIVATION_BYTES
        flops = prefill_flops(layer) if row.kernel == self.CHUNKED else 0.0
        return rates.kernel("gdn", "delta rule", 1.0, {T: flops}, {ST: state, T: moved_per_token(layer)})

    def loads(self, row: KernelRow, rates: KernelRates) -> Loads:
        """Tokens; a step reads and writes the state of every sequence."""
        step = row.kernel == self.STEP
        return loads_of(T=row["tokens"], ST=2.0 * row["tokens"] if step else row.get("batch", 1.0))


LONG = 2048
"""Tokens from which the chunked kernel shows its rate; below, its launches alone."""


class Small(KernelClass):
    """The least time of a small kernel in a graph: the convolution of a few decoding sequences."""

    def rows(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """Rows of ``gdn_causal_conv1d_update`` with few sequences."""
        found = main_implementation(_of(table, "gdn_causal_conv1d_update", self.fmt, ("tokens",)))
        return [row for row in found if row["tokens"] <= SMALL_BATCH]

    def parameters(self, hardware: Hardware) -> list[str]:
        """The latency alone."""
        return ["small.latency_us"]

    def operator(self, row: KernelRow, rates: KernelRates) -> Operator:
        """A kernel without bytes that count."""
        return rates.small("small", 1.0, 0.0)

    def loads(self, row: KernelRow, rates: KernelRates) -> Loads:
        """One call."""
        return loads_of(T=row["tokens"])


class AllReduce(KernelClass):
    """An all-reduce as a graph replays it, in BF16 on the wire."""

    def rows(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """Rows of ``all_reduce``; a note that begins with a wire format belongs to :class:`QuantisedAllReduce`."""
        return main_implementation(self._plain(table))

    def others(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """Rows of other libraries and kernels: engines change between them."""
        chosen = {row.line for row in self.rows(table)}
        return [row for row in self._plain(table) if row.line not in chosen]

    def _plain(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        found = _of(table, "all_reduce", self.fmt, ("message_bytes",))
        return [row for row in found if gpus_of(row) > 1 and wire_bits(row) is None]

    def parameters(self, hardware: Hardware) -> list[str]:
        """Those of collectives."""
        return ["comm.latency_us", "comm.doubling_us", "comm.bandwidth_eff"]

    def operator(self, row: KernelRow, rates: KernelRates) -> Operator:
        """Two passes over the links; a kernel that has the norm in it takes that as well."""
        op = rates.collective("all-reduce", 1.0, {T: row["message_bytes"]}, gpus_of(row), passes=2)
        norm = rates.seconds("small.latency_us") if FUSED in row.words["notes"] else 0.0
        return replace(op, latency=op.latency + norm)

    def loads(self, row: KernelRow, rates: KernelRates) -> Loads:
        """The message as one token."""
        return loads_of(T=1.0)

    def shape(self, row: KernelRow) -> tuple[float, ...]:
        """Ranks."""
        return (float(gpus_of(row)),)


class QuantisedAllReduce(AllReduce):
    """An all-reduce with narrower numbers on the wire, of messages large enough to show the rate."""

    def others(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """None: all are fitted."""
        return []

    def rows(self, table: Sequence[KernelRow]) -> list[KernelRow]:
        """Rows of ``all_reduce`` whose note begins with a wire format, of :data:`LARGE` bytes or more."""
        found = _of(table, "all_reduce", self.fmt, ("message_bytes",))
        return [row for row in found if wire_bits(row) is not None and row["message_bytes"] >= LARGE]

    def parameters(self, hardware: Hardware) -> list[str]:
        """The packing alone: link and latency are those of plain messages."""
        return ["comm.codec_eff"]

    def operator(self, row: KernelRow, rates: KernelRates) -> Operator:
        """Two passes over the links, or the packing where that is slower."""
        bits, message = wire_bits(row), {T: row["message_bytes"]}
        assert bits is not None
        return rates.quantised(rates.collective("all-reduce", 1.0, message, gpus_of(row), passes=2), message, bits)


def wire_bits(row: KernelRow) -> float | None:
    """Bits per element on the wire, from a note that begins with ``int4``, ``int6``, ``int8`` or ``fp8``."""
    known: Mapping[str, float] = {"int4": 4.5, "int6": 6.5, "int8": 8.5, "fp8": 8.5}
    return next((bits for word, bits in known.items() if row.words["notes"].lower().startswith(word)), None)


def gpus_of(row: KernelRow) -> int:
    """Ranks of a collective."""
    return int(row.get("gpus", row.get("tp", 1.0)))


FP4_OF: tuple[Format, Format] = ("mxfp4", "nvfp4")


KERNELS = frozenset(
    ("fused_moe", "gemm", "attention_decode", "attention_prefill", "all_reduce", "gdn_causal_conv1d_update")
) | {DeltaNet.STEP, DeltaNet.CHUNKED}
"""Names of the kernels that some class has."""


def classes() -> list[KernelClass]:
    """All classes, in the order in which they are fitted: a later one may need what an earlier one found."""
    out: list[KernelClass] = []
    formats: tuple[Format, ...] = (*FP4_OF, "fp8", "bf16")
    out += [FusedMoE("fused MoE", fmt) for fmt in formats]
    out += [Gemm("GEMM", fmt) for fmt in formats]
    out += [Attention("attention", fmt) for fmt in ("bf16", "fp8")]
    out += [DeltaNet("gated delta rule", "bf16"), Small("small kernel", "bf16")]
    out += [AllReduce("all-reduce", "bf16"), QuantisedAllReduce("quantised all-reduce", "bf16")]
    return out
