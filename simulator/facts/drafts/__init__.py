"""Drafts: what proposes tokens that a model verifies, one file a kind."""
