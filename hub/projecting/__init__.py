"""Projections compiled from operations: the view in the shape of the question, as Python."""
