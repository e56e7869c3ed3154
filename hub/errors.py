"""Every error code the hub answers with: what it means, what to do, and its HTTP status.

The status is that of `application/graphql-response+json` answers without `data`; GraphQL over
HTTP answers `application/json` with 200.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError


@dataclass(frozen=True, slots=True)
class Code:
    """An error code, as documented in docs/errors.md."""

    status: int
    meaning: str
    remedy: str


CODES: Mapping[str, Code] = {
    "UNAUTHENTICATED": Code(
        401, "no token, or one that does not hold", "get a token for a natural person"
    ),
    "BAD_REQUEST": Code(400, "the HTTP request is no GraphQL request", "see the message"),
    "NOT_FOUND_OPERATION": Code(
        400, "the document has no such operation", "name one with `operationName`"
    ),
    "GRAPHQL_PARSE_FAILED": Code(400, "the document is not GraphQL", "correct it at the place"),
    "GRAPHQL_VALIDATION_FAILED": Code(
        400, "the document does not fit the schema", "correct it at the place"
    ),
    "BAD_VARIABLES": Code(400, "a variable is missing or of the wrong type", "correct it"),
    "METHOD_NOT_ALLOWED": Code(
        405, "GET serves only queries that touch no data item", "send it by POST"
    ),
    "DOCUMENT_TOO_LARGE": Code(413, "the request has too many bytes", "ask for less at once"),
    "TOO_MANY_TOKENS": Code(400, "the document has too many tokens", "ask for less at once"),
    "TOO_DEEP": Code(400, "the selection is nested too deep", "nest less"),
    "TOO_MANY_ALIASES": Code(400, "too many aliases", "use a list argument"),
    "TOO_MANY_IDS": Code(400, "a list argument is too long", "ask in several operations"),
    "TOO_COSTLY": Code(400, "the operation costs too much", "ask for less at once"),
    "PURPOSE_REQUIRED": Code(
        403, "no `Hub-Purpose`, or one the register does not have", "name one of `purposes`"
    ),
    "PURPOSE_DENIED": Code(403, "the purpose may not see the item", "see the error's remedy"),
    "DOCUMENT_NOT_TRUSTED": Code(
        403, "the document is not trusted for the purpose", "have it added to the manifest"
    ),
    "PERSISTED_QUERY_NOT_FOUND": Code(
        404, "no trusted document has the hash sent", "send the document's text"
    ),
    "CASE_REQUIRED": Code(403, "the purpose needs a case", "name it in `Hub-Case`"),
    "CASE_REFUSED": Code(
        403,
        "a case named gives no reason to look: why, is not said",
        "name an open case of your office, of a programme that the purpose covers",
    ),
    "REASON_REQUIRED": Code(
        403, "the purpose needs a reason", "say it in `Hub-Reason`, percent-encoded UTF-8"
    ),
    "REASON_REPEATED": Code(
        403, "the person gave this reason, or nearly this, before", "say what is different now"
    ),
    "APPROVAL_REQUIRED": Code(
        403, "somebody of another office has to approve first", "ask by `requestApproval`"
    ),
    "UNSAFE_FILTER": Code(
        403, "a filter could choose a single person", "compare by whole groups and their edges"
    ),
    "QUESTION_TOO_NEAR": Code(
        403,
        "a past question of the team is about nearly the same people",
        "ask that one again, or one that differs by more",
    ),
    "QUESTION_BUDGET": Code(
        403, "the team has asked its questions of the last 24 hours", "ask again later"
    ),
    "NO_DELIVERIES": Code(
        503, "no delivery of an agency is there to answer from", "have the operator look"
    ),
    "BREAK_GLASS_REQUIRED": Code(
        403, "no break-glass is open for the recipient", "open one by `openBreakGlass`"
    ),
    "BREAK_GLASS_SUSPENDED": Code(
        403, "a break-glass of the person was not reviewed in time", "have it reviewed first"
    ),
    "OVERSIGHT_REFUSED": Code(
        403, "the caller may not approve or review this", "leave it to another person and office"
    ),
    "CORRECTION_REFUSED": Code(
        403,
        "the value may not be marked, or its ticket not moved, by the caller",
        "see the message",
    ),
    "PURPOSE_LIMIT": Code(
        403, "beyond what the purpose reaches at once or in a day, or lets be asked", "ask for less"
    ),
    "OUT_OF_REACH": Code(
        403, "unknown, malformed or out of reach: which, is not said", "check id and case"
    ),
    "NO_SUCH_PROGRAMME": Code(
        404, "an argument names no programme", "take an id or key of `programmes`"
    ),
    "NO_SUCH_YEAR": Code(404, "there are no figures of the year", "ask for a year there are"),
    "SOURCE_UNAVAILABLE": Code(503, "a source is down or refuses", "retry after `retryAfter` s"),
    "SOURCE_TIMEOUT": Code(503, "a source was too slow", "retry after `retryAfter` s"),
    "SOURCE_CONTRACT": Code(
        502, "a source answered otherwise than it declares", "tell the source's operator"
    ),
    "SOURCE_BUDGET": Code(
        503, "a source may be asked about no more people today", "retry after `retryAfter` s"
    ),
    "SOURCE_STALE": Code(
        503, "a source is down, and what stands in is not computed with", "retry later"
    ),
    "LOG_UNAVAILABLE": Code(
        503, "the query log cannot be written, so nothing is answered", "retry later"
    ),
    "INTERNAL": Code(500, "a fault of the hub itself", "tell the hub's operator the time"),
}


class RequestRefused(Exception):
    """The whole request is refused: no `data`, one or more errors, nothing asked further."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        self.errors = errors
        super().__init__(", ".join(self.codes))

    @property
    def codes(self) -> list[str]:
        """The errors' codes, each once."""
        return codes(self.errors)

    @property
    def status(self) -> int:
        """The HTTP status of the errors, which are of one kind."""
        return CODES[self.codes[0]].status


def codes(errors: Iterable[GraphQLError]) -> list[str]:
    """The codes of errors, each once."""
    return sorted({str((found.extensions or {}).get("code", "INTERNAL")) for found in errors})


def error(code: str, message: str, **extensions: Any) -> GraphQLError:
    """An error with a code of `CODES`, the code's remedy unless another is given."""
    remedy = extensions.pop("remedy", CODES[code].remedy)
    return GraphQLError(message, extensions={"code": code, "remedy": remedy, **extensions})


def refused(code: str, message: str, **extensions: Any) -> RequestRefused:
    """The refusal of a request for one reason."""
    return RequestRefused([error(code, message, **extensions)])
