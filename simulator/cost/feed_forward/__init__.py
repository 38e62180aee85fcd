"""Operators of feed-forwards, one file a kind."""
