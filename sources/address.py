"""Whether an address is one that nobody on the way can read or change."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_secure(address: str) -> bool:
    """Whether nobody on the way can change what is read there: `https`, or this very machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and is_loopback(host)


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
