"""Operators of mixers, one file a kind."""
