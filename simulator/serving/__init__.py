"""Replicas under load: the closed-loop benchmark, fleets, disaggregated pools, and their closed forms."""
