"""Measurements: medians of several rounds, as ratios where two things are compared."""
