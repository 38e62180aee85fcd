"""Calibration: fit the physical parameters to measured points, with priors, and say how sure the result is."""
