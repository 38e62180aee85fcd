"""Pieces of ``benchmarks/fuzz.py``: what is nasty, how files and options are mutated, how an input is judged."""
