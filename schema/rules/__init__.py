"""The rules of programmes: written once as typed formulas, read by several pure interpreters."""
