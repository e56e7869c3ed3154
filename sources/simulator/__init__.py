"""Stand-in agencies over a synthetic population, each run as its own process.

This is a model of what agencies do, not a copy of any: the people are synthetic, the
identifiers can never be real ones, and the wire formats are modelled. The hub meets it
over HTTP and SQL only; no other package imports it, and it imports no other package.
"""
