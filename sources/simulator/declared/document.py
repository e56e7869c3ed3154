"""Places in a document, its keys joined by dots; an empty place is the document itself."""

from typing import Any


def at(document: Any, place: str) -> Any:
    """What stands at a place. Raises KeyError where nothing does."""
    for step in place.split(".") if place else ():
        if not isinstance(document, dict):
            raise KeyError(step)
        document = document[step]
    return document


def put(document: dict[str, Any], place: str, value: Any) -> None:
    """Put a value at a place, with the objects on the way there."""
    *steps, last = place.split(".")
    for step in steps:
        document = document.setdefault(step, {})
    document[last] = value


def within(place: str, value: Any) -> Any:
    """A document that holds a value at a place, and nothing else."""
    for step in reversed(place.split(".") if place else ()):
        value = {step: value}
    return value
