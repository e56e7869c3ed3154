"""The persons of the demo, and how it fails: known without loading anything else."""

from __future__ import annotations

TITLES = {
    "caseworker": "Caseworker of the sample's district",
    "caseworker2": "Caseworker of another district",
    "supervisor": "Supervisor of that district, who approves and reviews",
    "policy": "Policy team",
    "auditor": "Auditor",
    "officer": "Data-protection officer",
    "recipient": "The sample recipient",
}
"""Whom the demo has tokens for."""


class DemoFailed(Exception):
    """The demo cannot go on; the message is one line and says how to mend it."""
