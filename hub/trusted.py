"""Whether a document may be asked: any may, or those of the manifest alone, by the caller's role.

A trusted document is asked for the purposes it is bound to and for no other. Clients may send its
hash in place of its text, after the protocol of automatic persisted queries
(https://www.apollographql.com/docs/apollo-server/performance/apq) without its registration.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from prometheus_client import Counter

from authz.caller import Caller
from authz.purpose import Purpose
from hub.config import Mode, TrustedDocuments
from hub.documents import Document
from hub.errors import RequestRefused, error, refused
from hub.manifest import Manifest, digest

_log = logging.getLogger("hub.trusted")
_UNTRUSTED = Counter(
    "hub_untrusted_documents", "Operations on data by documents that are not trusted", ["mode"]
)
_STRICTNESS: tuple[Mode, ...] = ("off", "log", "require")


@dataclass(frozen=True, slots=True)
class Sent:
    """A document as a request sends it: its text, the hash it is known by, or both."""

    text: str | None
    sha256: str | None


class Trusted:
    """The trusted documents, and where the settings require them."""

    def __init__(self, settings: TrustedDocuments, manifest: Manifest) -> None:
        self._settings = settings
        self._manifest = manifest

    def text(self, sent: Sent) -> str:
        """The text of the document sent. Raises RequestRefused where its hash is not known."""
        if sent.text is not None:
            return sent.text
        entry = self._manifest.get(sent.sha256 or "")
        if entry is None:
            # The message is part of the protocol: clients answer it by sending the text.
            raise refused("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
        return entry.document

    def check_hash(self, document: Document, sent: Sent) -> None:
        """Make sure that text and hash, where both are sent, belong together.

        The hash may be of the text as sent or as normalised. Raises RequestRefused.
        """
        if sent.text is None or sent.sha256 is None:
            return
        if sent.sha256 not in (document.sha256, digest(sent.text)):
            raise refused("BAD_REQUEST", "`sha256Hash` is not the hash of `query`")

    def check(
        self, document: Document, sent: Sent, caller: Caller, purpose: Purpose | None
    ) -> None:
        """Refuse a document that is not trusted for the purpose, or log it. Raises RequestRefused.

        Without a known purpose nothing is settled: the operation is refused for that.
        """
        self.check_hash(document, sent)
        if purpose is None:
            return
        mode = self._mode(caller, purpose)
        entry = self._manifest.get(document.sha256)
        if mode == "off" or (entry is not None and purpose.code in entry.purposes):
            return
        _UNTRUSTED.labels(mode).inc()
        if mode == "log":
            # The hash without literals: by the other, a literal id could be found by trying all.
            _log.info("document is not trusted", extra={"document": document.hash})
            return
        raise _not_trusted(purpose, known=entry is not None)

    def _mode(self, caller: Caller, purpose: Purpose) -> Mode:
        """The strictest mode of the roles by which the caller may use the purpose.

        What is asked of populations is asked ad hoc: it is required of no role that is not named.
        """
        mode = self._settings.mode
        if purpose.relation == "population":
            mode = min(mode, "log", key=_STRICTNESS.index)
        modes = [self._settings.roles.get(role, mode) for role in caller.roles & purpose.roles]
        return max(modes or [mode], key=_STRICTNESS.index)


def _not_trusted(purpose: Purpose, *, known: bool) -> RequestRefused:
    message = "the document is not in the manifest of trusted documents"
    remedy = "ask by a document of the manifest, or have this one added to it"
    if known:
        message = f"the document is not bound to `{purpose.code}`"
        remedy = "ask under a purpose that the manifest binds it to, or have it bound to this one"
    return RequestRefused([error("DOCUMENT_NOT_TRUSTED", message, remedy=remedy)])
