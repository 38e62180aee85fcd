"""The architectures that can be imported, and what the code of each does without a key that says so."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.errors import InputError, brief, unknown_name
from simulator.facts.importing.found import Found
from simulator.facts.importing.keys import Keys


@dataclass(frozen=True)
class Architecture:
    """One ``model_type``.

    Attributes:
        classes: names of its model classes.
        qk_norm: queries and keys are normalised.
        sinks: heads have an attention sink.
        output_gate: attention has an output gate.
        bias: query, key and value projections have a bias.
        expert_bias: experts have one.
        tied: input embedding and lm_head are one where no key says so.
        expert_width: ``intermediate_size`` is that of an expert.
        shared_gate: the shared expert has a scalar gate.
        shared_experts: as many where no key says so.
        beside_dense: every layer has a dense feed-forward beside its experts.
        gated: feed-forwards have a gate projection beside up and down.
        draft_layers: the checkpoint has as many MTP layers without a key.
        no_draft: why MTP keys of this architecture mean no draft layers; empty where they do.
        full_every: of layers with a window every so many-th has none, where no key says which.
        named: as the file calls it.
        around: name of a class around the text model that is not known.
    """

    classes: tuple[str, ...]
    qk_norm: bool = False
    sinks: bool = False
    output_gate: bool = False
    bias: bool = False
    expert_bias: bool = False
    tied: bool = False
    expert_width: bool = False
    shared_gate: bool = False
    shared_experts: int = 0
    beside_dense: bool = False
    gated: bool = True
    draft_layers: int = 0
    no_draft: str = ""
    full_every: int = 0
    named: str = ""
    around: str = ""

    def implies(self, trait: str) -> Found | None:
        """A trait as a value with its source; None: the architecture does not have it."""
        value = getattr(self, trait)
        return Found(value, f"implied by {self.named}") if value else None


QWEN_LINEAR = Architecture(
    ("Qwen3_5MoeForConditionalGeneration", "Qwen3_5MoeForCausalLM"), qk_norm=True, shared_gate=True
)
GEMMA = Architecture((), qk_norm=True, tied=True)
LATENT = Architecture(("DeepseekV3ForCausalLM", "KimiK2ForCausalLM", "KimiK25ForConditionalGeneration"))
NO_MODULES = "published checkpoints run without the modules that it names; drafts come from a separate model"

ARCHITECTURES: dict[str, Architecture] = {
    "llama": Architecture(("LlamaForCausalLM",)),
    "phi3": Architecture(("Phi3ForCausalLM",)),
    "mistral": Architecture(("MistralForCausalLM",)),
    "mixtral": Architecture(("MixtralForCausalLM",), expert_width=True),
    "qwen2": Architecture(("Qwen2ForCausalLM",), bias=True),
    "qwen2_moe": Architecture(("Qwen2MoeForCausalLM",), bias=True, shared_gate=True),
    "qwen3": Architecture(("Qwen3ForCausalLM",), qk_norm=True),
    "qwen3_moe": Architecture(("Qwen3MoeForCausalLM",), qk_norm=True),
    "qwen3_next": Architecture(
        ("Qwen3NextForCausalLM",), qk_norm=True, output_gate=True, shared_gate=True, draft_layers=1
    ),
    "qwen3_5_moe": QWEN_LINEAR,
    "qwen3_5_moe_text": QWEN_LINEAR,
    "qwen3_5": replace(QWEN_LINEAR, classes=("Qwen3_5ForConditionalGeneration", "Qwen3_5ForCausalLM")),
    "qwen3_5_text": replace(QWEN_LINEAR, classes=("Qwen3_5ForConditionalGeneration", "Qwen3_5ForCausalLM")),
    "deepseek_v2": replace(LATENT, classes=("DeepseekV2ForCausalLM",)),
    "deepseek_v3": LATENT,
    "deepseek_v32": replace(LATENT, classes=("DeepseekV32ForCausalLM", "DeepseekV3ForCausalLM")),
    "deepseek_v4": replace(LATENT, classes=("DeepseekV4ForCausalLM",)),
    "kimi_k2": LATENT,
    "kimi_linear": replace(LATENT, classes=("KimiLinearForCausalLM", "KimiK3ForConditionalGeneration")),
    "kimi_k3": replace(LATENT, classes=("KimiK3ForCausalLM", "KimiK3ForConditionalGeneration")),
    "glm4_moe": Architecture(("Glm4MoeForCausalLM",)),
    "glm_moe_dsa": replace(LATENT, classes=("GlmMoeDsaForCausalLM",)),
    "minimax_m2": Architecture(("MiniMaxM2ForCausalLM",), expert_width=True, no_draft=NO_MODULES),
    "minimax_m3": Architecture(("MiniMaxM3ForCausalLM",), no_draft=NO_MODULES),
    "gpt_oss": Architecture(("GptOssForCausalLM",), sinks=True, expert_bias=True, expert_width=True),
    "llama4": Architecture(
        ("Llama4ForConditionalGeneration", "Llama4ForCausalLM"), expert_width=True, shared_experts=1, full_every=4
    ),
    "llama4_text": Architecture(
        ("Llama4ForConditionalGeneration", "Llama4ForCausalLM"), expert_width=True, shared_experts=1, full_every=4
    ),
    "gemma2": replace(GEMMA, classes=("Gemma2ForCausalLM",), qk_norm=False, full_every=2),
    "gemma3_text": replace(GEMMA, classes=("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"), full_every=6),
    "gemma4_text": replace(GEMMA, classes=("Gemma4ForCausalLM", "Gemma4ForConditionalGeneration"), beside_dense=True),
    "nemotron_h": Architecture(("NemotronHForCausalLM",), gated=False),
    "mimo_v2_flash": Architecture(("MiMoV2FlashForCausalLM",)),
}
"""Architecture by ``model_type`` of the text model. What is here is read off the model code of Hugging Face
transformers and vLLM, not off configurations."""


def architecture_of(text: Keys, outer: Keys, stated: str | None = None) -> Architecture:
    """The architecture of a text model.

    Args:
        text: keys of the text model.
        outer: keys of the file, which are the same where the text model is at the top.
        stated: ``model_type`` to read the file as, whatever it says.

    Raises:
        InputError: one that is not known, by ``model_type`` or by the name of the class.
    """
    kind = text.text("model_type") or outer.text("model_type")
    own, whole = _classes(text), _classes(outer)
    classes = own or whole
    if stated is not None:
        if stated.lower() not in ARCHITECTURES:
            raise unknown_name("architecture", stated, ARCHITECTURES)
        return replace(ARCHITECTURES[stated.lower()], named=f"architecture {stated.lower()}, as stated")
    if kind is None:
        raise InputError(f"{text.file}: {text.path('model_type')}: missing; expected that of a language model")
    known = ARCHITECTURES.get(kind)
    wrong = f"{text.path('model_type')} {brief(kind)}" if known is None else ""
    strange = known is not None and classes and not {*own, *whole} & {*known.classes}
    if known is not None and strange and (own or text is outer):
        wrong = f"architectures {brief(classes[0])} of model_type {brief(kind)}"
    if known is None or wrong:
        raise InputError(
            f"{text.file}: {wrong}: an architecture that is not known, and a profile of it could be wrong. Known: "
            f"{', '.join(ARCHITECTURES)}. If its layers are those of one of them: --architecture NAME"
        )
    around = classes[0] if strange else ""
    return replace(known, named=classes[0] if classes and not strange else f"model_type {kind}", around=around)


def _classes(keys: Keys) -> list[str]:
    found = keys.value("architectures")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        keys.refuse("architectures", "a list of names")
    return list(found)
