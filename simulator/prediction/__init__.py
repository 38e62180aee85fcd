"""Answers about one or several scenarios: metrics with intervals, accounts of time, fronts, comparisons."""
