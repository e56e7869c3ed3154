"""Signed tokens (JWT, RFC 7519): what they say before and after their signature is checked.

Nothing of a token is ever part of a message.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning


class _Registry(jws.JWSRegistry):
    """Headers may bring a key or certificates, and what need not be understood (RFC 7515, 4)."""

    max_header_length = 8192

    def __init__(self, algorithms: Sequence[str] = ()) -> None:
        super().__init__(algorithms=list(algorithms), strict_check_header=False)


LEEWAY = 30
"""Seconds that clocks may differ."""


class TokenRefused(Exception):
    """The token does not hold; the message says why, and nothing of the token.

    `error` is the code of RFC 6750, section 3.1, which a request without a token does not have.
    """

    error: str | None = "invalid_token"


class TokenMissing(TokenRefused):
    """There is no token."""

    error = None


def peek(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims before verification, to find the key; not to be trusted.

    Raises TokenRefused.
    """
    try:
        compact = jws.extract_compact(token.encode("ascii"), registry=_Registry())
        claims = json.loads(compact.payload)
        header = compact.headers()
    except (JoseError, ValueError, RecursionError) as error:
        raise TokenRefused("it is no signed JWT") from error
    if not isinstance(claims, dict):
        raise TokenRefused("its payload holds no claims")
    return header, claims


def kind(header: Mapping[str, Any]) -> str:
    """The `typ` of a token, as RFC 7515 (section 4.1.9) has it compared."""
    return str(header.get("typ", "")).lower().removeprefix("application/")


def verified(token: str, key: Any, algorithms: Sequence[str]) -> Mapping[str, Any]:
    """The claims of a token that this key signed. Raises TokenRefused."""
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA; which names are accepted is the operator's setting.
            warnings.simplefilter("ignore", SecurityWarning)
            return jwt.decode(token, key, registry=_Registry(algorithms)).claims
    except (JoseError, ValueError, TypeError) as error:
        # TypeError: a header whose `crit` lists anything but text; the library trips over it.
        raise TokenRefused("its signature does not hold") from error


def is_number(value: Any) -> TypeGuard[int | float]:
    """A number as JSON has it: Python reads `NaN` and `Infinity` too, which never expire."""
    return type(value) is int or (type(value) is float and math.isfinite(value))
