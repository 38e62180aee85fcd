"""Mixers: the part of a layer in which tokens see one another, one file a kind."""
