"""Where an agency's process lives: its population, its directory, its address."""

from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
"""Never anything but loopback: the agencies stand in for others on one machine."""


@dataclass(frozen=True)
class Place:
    """Which agency is served, of which population, where it keeps its records."""

    name: str
    population: Path
    run: Path
    port: int = 0

    @property
    def directory(self) -> Path:
        """The agency's own part of the run directory."""
        return self.run / self.name
