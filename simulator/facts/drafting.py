"""Which draft a user means: the model's own, one of another kind, a file that describes one, or a small model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator.errors import InputError
from simulator.facts.checkpoint import Checkpoint, group_formats
from simulator.facts.draft import KINDS, Draft, ModelDraft, MtpDraft, NgramDraft
from simulator.facts.drafts.typical import typical_block, typical_eagle
from simulator.facts.model import Model
from simulator.facts.reading import is_path, load_model, named_model, parse_mapping, validate
from simulator.files.paths import user_path

ALIKE = 0.01
"""Vocabularies that differ by less are the same with other padding."""


def with_draft(model: Model, draft: str | None) -> Model:
    """The model with the draft that a user names, and the acceptance that is published for it; None: as it is.

    Args:
        model: target.
        draft: ``mtp``, ``eagle3``, ``block`` or ``ngram``; the path of a YAML file with such a ``kind``; or a model by
            name or path, to draft with.

    Raises:
        InputError: no such draft, or one that cannot draft for this model.
    """
    if draft is None:
        return model
    found = _found(model, draft)
    if isinstance(found, MtpDraft):
        return model
    if isinstance(found, ModelDraft) and abs(int(found.vocabulary or 0) / model.vocabulary - 1) > ALIKE:
        raise InputError(
            f"--draft {draft}: it has {found.vocabulary:,} tokens and {model.name} {model.vocabulary:,}; expected a "
            "model with the same vocabulary"
        )
    published = model.draft_acceptance.get(found.kind)
    return model.model_copy(update={"draft": found, "default_acceptance": published})


def _found(model: Model, draft: str) -> Draft:
    match draft.lower():
        case "mtp":
            if not isinstance(model.draft, MtpDraft):
                raise InputError(f"--draft mtp: model {model.name} has no MTP layer")
            return model.draft
        case "ngram":
            return NgramDraft()
        case "eagle3":
            return typical_eagle(model)
        case "block":
            return typical_block(model)
        case "model":
            raise InputError("--draft model: expected the name of the model, or its path")
    raw = _described(draft)
    if raw is not None:
        kind = KINDS[raw["kind"]]
        if kind is MtpDraft:
            raise InputError(f"--draft {draft}: MTP layers belong to a model; expected another kind")
        return validate(kind, raw, f"draft {draft}")
    return _small_model(draft)


def _described(draft: str) -> dict[str, Any] | None:
    """The content of a file that describes a draft; None: it is not one."""
    path = user_path(f"draft {draft}", draft)
    if not (is_path(draft) and draft.endswith((".yaml", ".yml")) and Path(path).is_file()):
        return None
    raw = parse_mapping(path, f"draft {draft}")
    return raw if raw.get("kind") in KINDS else None


def _small_model(draft: str) -> ModelDraft:
    """A model as a draft, in the checkpoint that its name says, else in BF16, else in the first."""
    try:
        model = load_model(draft)
    except InputError as fault:
        raise InputError(f"--draft: expected mtp, eagle3, block, ngram, a file or a model. {fault}") from None
    named = None if is_path(draft) and Path(draft).exists() else named_model(draft)
    if named is not None and named.checkpoint is not None:
        chosen = model.checkpoints[named.checkpoint]
    else:
        chosen = min(model.checkpoints.values(), key=lambda checkpoint: checkpoint.precision != "bf16")
    try:
        return _as_draft(model, chosen)
    except ValueError as fault:
        raise InputError(f"--draft {draft}: {_words(fault)}") from None


def _as_draft(model: Model, checkpoint: Checkpoint) -> ModelDraft:
    formats = group_formats(checkpoint)
    return ModelDraft(
        hidden=model.hidden,
        vocabulary=model.vocabulary,
        tied_embedding=model.tied_embedding,
        mixers=model.mixers,
        feed_forwards=model.feed_forwards,
        layers=model.layers,
        weights={group: fmt for group, fmt in formats.items() if not group.startswith("draft")},
        source=model.source,
    )


def _words(fault: ValueError) -> str:
    errors = getattr(fault, "errors", None)
    found = errors() if errors is not None else []
    return "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in found) or str(fault)
