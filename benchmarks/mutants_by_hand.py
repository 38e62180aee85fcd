"""Mistakes that a cost model is likely to have, made one by one in a copy of the tree: do the tests notice?

    python benchmarks/mutants_by_hand.py            all of them, as a table; exit 1 if one survives
    python benchmarks/mutants_by_hand.py draft      those with the word in their name

A sampled mutant is a wrong sign or number somewhere; these are wrong ideas. Each must be killed by the tests of the
cost model alone (``HAND`` and ``COST`` in ``benchmarks/mutant_tree.py``), worked by hand from the shapes.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from mutant_tree import ROOT, copies

COST, FACTS, KERNELS = "simulator/cost/", "simulator/facts/", "simulator/kernels/"


class Mutant(NamedTuple):
    """A mistake: in ``file``, ``new`` stands where ``old`` should, which occurs there once."""

    name: str
    file: str
    old: str
    new: str

    def text(self) -> str:
        """The whole file with the mistake."""
        before = (ROOT / self.file).read_text(encoding="utf-8")
        if before.count(self.old) != 1:
            raise SystemExit(f"{self.name}: {self.old!r} occurs {before.count(self.old)} times in {self.file}")
        return before.replace(self.old, self.new)


MUTANTS = (
    # those that once survived every test
    Mutant(
        "KV heads not replicated",
        FACTS + "mixers/attention.py",
        "max(1, math.ceil(self.kv_heads / ranks))",
        "self.kv_heads / ranks",
    ),
    Mutant(
        "FP32 state priced as BF16",
        COST + "mixers/gated_delta_net.py",
        "layer.state_bytes(d.engine.state_dtype)",
        'layer.state_bytes("bf16")',
    ),
    Mutant(
        "shared expert: bytes left out where fused",
        COST + "feed_forward/experts.py",
        "ONE: expert_bytes * shared",
        "ONE: 0.0",
    ),
    Mutant(
        "shared expert: FLOPs left out where fused",
        COST + "feed_forward/experts.py",
        "(layer.top_k + shared)",
        "layer.top_k",
    ),
    Mutant("EP: balanced", COST + "feed_forward/experts.py", "rates.imbalance(d.ep)", "1.0"),
    Mutant(
        "EP: experts as narrow as without",
        COST + "feed_forward/experts.py",
        "layer.intermediate / (d.tp / d.ep)",
        "layer.intermediate / d.tp",
    ),
    Mutant(
        "attention DP: tokens not divided",
        COST + "mixers/attention.py",
        "cached = layer.head_bytes(d.kv_format, tp) / dp",
        "cached = layer.head_bytes(d.kv_format, tp)",
    ),
    Mutant(
        "attention DP: gather for the experts dropped",
        COST + "collectives.py",
        'rates.collective(f"all-gather to {name}", count, {T: message}, d.tp, passes=1),',
        "",
    ),
    Mutant(
        "draft: no lm_head",
        COST + "forward.py",
        "    ops += lm_head.operators(draft.logits(m.vocabulary), formats[head], rates)\n",
        "",
    ),
    Mutant("draft: projection halved", FACTS + "drafts/mtp.py", "self.layers, 2 * hidden", "self.layers, hidden"),
    Mutant("switch: share of a mesh", COST + "rates.py", "(gpus - 1.0) / gpus", "1.0 / gpus"),
    # and more of their kind
    Mutant(
        "shared expert: no gate",
        COST + "feed_forward/experts.py",
        "hidden, layer.inputs * columns, fmt)",
        "hidden, columns, fmt)",
    ),
    Mutant(
        "shared expert: fused as wide as a routed one",
        FACTS + "feed_forward/experts.py",
        "return (self.inputs + 1) * hidden * self.shared_intermediate",
        "return (self.inputs + 1) * hidden * self.intermediate",
    ),
    Mutant(
        "draft: projection sharded", FACTS + "drafts/mtp.py", "2 * hidden, hidden)", "2 * hidden, hidden, sharded=True)"
    ),
    Mutant(
        "draft: projection on all tokens of all ranks",
        COST + "forward.py",
        "            share=1 / d.dp,\n",
        "",
    ),
    Mutant(
        "draft: projection in the format of the draft",
        FACTS + "checkpoint.py",
        '"draft_fc": "bf16"',
        '"draft_fc": c.draft_dense or dense',
    ),
    Mutant(
        "draft: experts in the target's format",
        COST + "forward.py",
        "layers.operators(m.draft_layers, d.draft_formats, rates)",
        "layers.operators(m.draft_layers, d.target_formats, rates)",
    ),
    Mutant(
        "draft: no collectives", COST + "forward.py", "ops += collectives.operators(m.draft_layers, rates)", "ops += []"
    ),
    Mutant("mesh: share of a switch", COST + "rates.py", '== "full_mesh"', '!= "none"'),
    Mutant("mesh: the whole message over one link", COST + "rates.py", "share = 1.0 / gpus if", "share = 1.0 if"),
    Mutant(
        "all-reduce: one pass",
        COST + "collectives.py",
        "rates.collective(name, count, {T: message}, gpus, passes=2)",
        "rates.collective(name, count, {T: message}, gpus, passes=1)",
    ),
    Mutant(
        "all-reduce: one per layer",
        COST + "collectives.py",
        '"all-reduce", stack.mixer_layers + stack.feed_forward_layers',
        '"all-reduce", stack.mixer_layers',
    ),
    Mutant(
        "attention DP: reduced over all GPUs",
        COST + "collectives.py",
        "message / d.dp, d.attention_tp",
        "message / d.dp, d.tp",
    ),
    Mutant("attention: no gate in the queries", COST + "mixers/attention.py", "(out if layer.output_gate else 0)", "0"),
    Mutant(
        "attention: keys without values",
        FACTS + "mixers/attention.py",
        "self.kv_heads_per_gpu(ranks) * (self.head_dim + self.values)",
        "self.kv_heads_per_gpu(ranks) * self.head_dim",
    ),
    Mutant(
        "attention: new tokens not written to the cache",
        COST + "mixers/attention.py",
        "{KV: cached, T: cached}",
        "{KV: cached}",
    ),
    Mutant(
        "GDN: state whole on every GPU",
        COST + "mixers/gated_delta_net.py",
        "d.engine.state_dtype) / tp",
        "d.engine.state_dtype)",
    ),
    Mutant(
        "layers: groups not added",
        FACTS + "layers.py",
        "sum(g.count for g in groups if g.mixer",
        "max(g.count for g in groups if g.mixer",
    ),
    Mutant(
        "GDN: beta and decay dropped",
        COST + "mixers/gated_delta_net.py",
        '        rates.gemm("gdn beta, decay", count, hidden, 2 * heads, "bf16", share=1 / dp),\n',
        "",
    ),
    Mutant(
        "experts: two matrices",
        FACTS + "feed_forward/experts.py",
        "return (self.inputs + 1) * width * self.intermediate",
        "return self.inputs * width * self.intermediate",
    ),
    Mutant(
        "experts: all are read",
        COST + "loads.py",
        "return -self.experts * math.expm1(independent * miss)",
        "return float(self.experts)",
    ),
    Mutant("experts: block scales not stored", FACTS + "formats.py", '"mxfp4": 0.53125', '"mxfp4": 0.5'),
    Mutant(
        "experts: computed in BF16",
        COST + "rates.py",
        'self.flops(fmt, f"{computed}.compute_eff")',
        'self.flops("bf16", f"{computed}.compute_eff")',
    ),
    Mutant(
        "router: sharded", COST + "feed_forward/experts.py", "hidden, layer.experts, ", "hidden, layer.experts / tp, "
    ),
    Mutant(
        "verification: logits of one token",
        COST + "loads.py",
        "Load(batch * q, context * q, batch * q, context * again",
        "Load(batch * q, context * q, batch, context * again",
    ),
    Mutant(
        "prefill: all pairs of a prompt",
        COST + "loads.py",
        "cached_tokens + 0.5 * prompt_tokens",
        "cached_tokens + prompt_tokens",
    ),
    Mutant("lm_head: whole on every GPU", COST + "lm_head.py", "vocabulary / tp, fmt", "vocabulary, fmt"),
    Mutant("GEMM: no activations", COST + "rates.py", "per: activations}", "per: 0.0}"),
    # further kinds of mixers and of drafts
    Mutant(
        "latent attention: the cache divided",
        FACTS + "mixers/latent_attention.py",
        "return self.latent *",
        "return self.latent / ranks *",
    ),
    Mutant(
        "latent attention: projections down sharded",
        COST + "mixers/latent_attention.py",
        '"mla down", count, hidden, layer.down,',
        '"mla down", count, hidden, layer.down / d.attention_tp,',
    ),
    Mutant(
        "latent attention: prompts absorbed",
        COST + "mixers/latent_attention.py",
        "pair = layer.pair_flops / d.attention_tp",
        "pair = layer.absorbed_pair_flops / d.attention_tp",
    ),
    Mutant(
        "latent attention: earlier passes not made into keys again",
        COST + "mixers/latent_attention.py",
        "flops={T: up.flops[T], KV: up.flops[T]}",
        "flops={T: up.flops[T]}",
    ),
    Mutant(
        "index: shared ones run too",
        COST + "mixers/latent_attention.py",
        "if layer.index is not None and not layer.index.shared:",
        "if layer.index is not None:",
    ),
    Mutant("index: sees what it chose", COST + "mixers/index.py", "count, {QK: flops}", "count, {T: flops}"),
    Mutant(
        "blocks: the local one forgotten",
        FACTS + "mixers/blocks.py",
        "(self.top_blocks + self.local_blocks) * self.block",
        "self.top_blocks * self.block",
    ),
    Mutant(
        "compressed attention: as many keys as tokens",
        COST + "mixers/compressed_attention.py",
        "{QK: count * pair / ratio}",
        "{QK: count * pair}",
    ),
    Mutant(
        "parts: prompts are all",
        KERNELS + "passes.py",
        "count, pairs = tokens - prompt_tokens",
        "count, pairs = tokens",
    ),
    Mutant("reading: nothing hides", COST + "operator.py", "return min(read, pair) if", "return 0.0 if"),
    Mutant(
        "block draft: one logit each",
        COST + "loads.py",
        "context * q, batch * k, context",
        "context * q, batch, context",
    ),
    Mutant(
        "eagle draft: the target's head",
        FACTS + "drafts/separate.py",
        "return self.vocabulary or vocabulary",
        "return vocabulary",
    ),
    Mutant(
        "stages: the whole batch in each",
        KERNELS + "passes.py",
        "batch, context = batch / parts,",
        "batch, context = batch,",
    ),
    Mutant("stages: no piece behind", KERNELS + "passes.py", "(2.0 * c.stages - 1.0) / c.stages", "1.0"),
    Mutant(
        "stages: all alike",
        FACTS + "deployment.py",
        "math.ceil(self.model.layer_count / self.pp) /",
        "self.model.layer_count / self.pp /",
    ),
)


def main() -> int:
    """Try them and print what became of each."""
    words = sys.argv[1:]
    chosen = [mutant for mutant in MUTANTS if all(word.lower() in mutant.name.lower() for word in words)]
    survivors = 0
    with copies(1) as (tree,):
        for mutant in chosen:
            with tree.changed(mutant.file, mutant.text()):
                outcome = tree.run(mutant.file, limit=120)
            survivors += outcome.verdict == "survived"
            killer = outcome.words.removeprefix("FAILED ").split(" - ")[0] if outcome.verdict == "killed" else ""
            print(f"{mutant.name:52}  {outcome.verdict:8}  {outcome.seconds:4.0f} s  {killer}", flush=True)
    print(f"{len(chosen)} mutants, {survivors} survived")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
