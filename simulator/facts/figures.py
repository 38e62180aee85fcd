"""What a model adds up to: parameters, and bytes of weights, cache and state, as data sheets of models state them."""

from __future__ import annotations

from typing import Any

from simulator.facts.memory import kv_bytes, kv_bytes_per_token, state_bytes
from simulator.facts.model import Model
from simulator.facts.weights import active_parameters, draft_parameters, total_checkpoint_bytes, total_parameters

LONG = 2**30
"""Tokens beyond every window."""
CHOOSERS = ("index", "blocks")
"""Parts of mixers that choose among keys, and keep keys of their own."""


def figures(model: Model, state_dtype: str = "fp32", kv_format: str = "bf16") -> dict[str, Any]:
    """Parameters of the text model without its draft, and bytes.

    ``kv_bytes_per_token`` is that of one token within every window, ``kv_bytes_per_token_beyond_windows`` what a token
    more takes in a long context, both without ``index_bytes_per_token``, the keys of an index, which have a format of
    their own.

    Args:
        model: the model.
        state_dtype: number format of the recurrent state.
        kv_format: number format of the KV cache.

    Example:
        >>> from simulator.facts.reading import load_model
        >>> figures(load_model("gpt-oss-120b"))["kv_bytes_per_token"]
        73728.0
    """
    alone = _without_choosers(model)
    own = kv_bytes_per_token(alone, kv_format)
    return {
        "name": model.name,
        "total_parameters": total_parameters(model),
        "active_parameters": active_parameters(model),
        "draft_parameters": sum(draft_parameters(model).values()),
        "kv_bytes_per_token": own,
        "kv_bytes_per_token_beyond_windows": (kv_bytes(alone, 2 * LONG, kv_format) - kv_bytes(alone, LONG, kv_format))
        / LONG,
        "index_bytes_per_token": kv_bytes_per_token(model, kv_format) - own,
        "state_bytes_per_sequence": state_bytes(model, state_dtype),
        "weight_bytes": {name: total_checkpoint_bytes(model, each) for name, each in model.checkpoints.items()},
    }


def _without_choosers(model: Model) -> Model:
    """The same model with mixers that see every key."""
    mixers = {
        name: mixer.model_copy(update={part: None for part in CHOOSERS if getattr(mixer, part, None) is not None})
        for name, mixer in model.mixers.items()
    }
    return model.model_copy(update={"mixers": mixers})
