"""What the tree is made of: a leaf commits to a record's details and says nothing of them.

A leaf is public. Without the salt, which is sealed with the details, nobody can try out what they
might be; once the key of both is destroyed, the leaf still stands and every proof still holds.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

import orjson
import rfc8785

SALT_BYTES = 32

_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
# What orjson may write otherwise than RFC 8785: a number with a fraction or an exponent (text ends
# with a quotation mark, a number does not), and the order of keys beyond U+FFFF, which RFC 8785
# sorts by UTF-16 units.
_FRACTION = re.compile(rb"[.eE][-+]?\d+\Z")
_NUMBER_BYTES = 32
"""More than a number takes with its fraction and exponent."""
# Where numbers may end, all digits and all that follows a number look alike.
_ENDS = bytes.maketrans(b"123456789}]", b"000000000,,")
_BEYOND = re.compile(rb"[\xf0-\xf4]")


def canonical(details: Mapping[str, Any]) -> bytes:
    """The details as RFC 8785 writes them: of text, whole numbers, booleans, null, lists, dicts.

    Fractions are written too, but slowly. Raises TypeError or ValueError for anything else.
    """
    written = orjson.dumps(details, option=_OPTIONS)
    if _has_fraction(written) or not (written.isascii() or _BEYOND.search(written) is None):
        return rfc8785.dumps(dict(details))
    return written


def _has_fraction(written: bytes) -> bool:
    """Whether there may be a number that is not whole; of text, ends alone are looked at."""
    alike = written.translate(_ENDS)
    end = alike.find(b"0,") + 1
    while end:
        if _FRACTION.search(written, max(end - _NUMBER_BYTES, 0), end):
            return True
        end = alike.find(b"0,", end) + 1
    return False


def commitment(salt: bytes, details: bytes) -> bytes:
    """HMAC-SHA-256 of the details under their salt, 32 bytes."""
    return hmac.digest(salt, details, "sha256")


def leaf(committed: bytes) -> bytes:
    """The canonical bytes (RFC 8785) of the leaf with this commitment."""
    return b'{"commitment":"' + base64.b64encode(committed) + b'","version":1}'


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\0" + content).digest()
