"""The unified view, in Strawberry types built from the declarations."""
