"""Seconds of a forward pass, operator by operator: FLOPs, bytes and messages at achieved rates."""
