"""Kernel tables -> priors: what micro-benchmarks of an accelerator say of the parameters of the cost model."""
