"""The members of the statements that parties sign (docs/formats.md sections 2, 4 and 5), as the verifier reads them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from broker.audit import strict_json
from broker.audit.entries import LogEntry, has_shape
from broker.audit.findings import Code, Findings
from broker.audit.trust import Trust

_ASK = {
    "answerers": "texts",
    "asker": "text",
    "case_number": "hex?",
    "cooperation_ref": "hex?",
    "environment": "text",
    "epoch": "text",
    "key_id": "text",
    "match_keys": "number",
    "not_after": "time",
    "origin": "text",
    "principal": "text?",
    "purpose": "text",
    "request_id": "text",
    "scheme": "text",
    "subjects": "number",
    "tokens": "hex",
    "type": "text",
    "want": "map",
}
_STANDING_ASK = {**_ASK, "standing": "text"}
_WANT = {"attributes": "texts", "count": "flag", "hit": "flag"}
_REGISTER = {
    "answerer": "text",
    "as_of": "time",
    "attributes": "texts",
    "coverage": "text",
    "digest": "hex",
    "environment": "text",
    "epoch": "text",
    "expires_at": "time",
    "key_id": "text",
    "match_keys": "number",
    "origin": "text",
    "purpose": "text",
    "rows": "number",
    "rules": "map",
    "scheme": "text",
    "type": "text",
    "version": "number",
}
_ENCRYPTION_KEY = {
    **dict.fromkeys(("environment", "kem", "origin", "party", "public_key", "type"), "text"),
    "created_at": "time",
}
_EPOCH = {
    **dict.fromkeys(("created_at", "valid_from", "valid_until"), "time"),
    **dict.fromkeys(("environment", "epoch", "key_id", "mode", "origin", "purpose", "steward", "type"), "text"),
    "recipients": "map",
}
_KEY_END = {
    **dict.fromkeys(("environment", "key_id", "origin", "party", "reason", "type", "what"), "text"),
    **dict.fromkeys(("epoch", "purpose"), "text?"),
    "caches": "number",
    "ended_at": "time",
}
_ENDS = {
    "retired": ("leak", "departure", "lost-steward", "precaution"),
    "destroyed": ("escrow-over",),
    "encryption-key-destroyed": ("renewed",),
}
_KEM = "MLKEM768-X25519"
_PUBLIC_KEY = re.compile(r"[0-9a-f]{2432}")
_SHORT_DIGEST = re.compile(r"[0-9a-f]{32}")
_MOST_ANSWERERS = 400


def statement_digest(statement: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the signed bytes of a statement."""
    return hashlib.sha256(strict_json.write(statement)).hexdigest()


def short_digest(statement: Mapping[str, Any]) -> str:
    """The first half of that digest: how an epoch names the encryption key of a recipient."""
    return statement_digest(statement)[:32]


class StatementForms:
    """Checks that a signed statement has the members of its type, and is for this log. Each says so, with a finding."""

    def __init__(self, trust: Trust, findings: Findings) -> None:
        self._scope = (trust.origin, trust.environment)
        self._findings = findings

    def ask(self, entry: LogEntry) -> bool:
        """`sluis/v1/ask`, of a first question or of one that stands."""
        members = _STANDING_ASK if "standing" in entry.body["statement"] else _ASK
        return self._good(entry, "sluis/v1/ask", members, _is_ask)

    def register(self, entry: LogEntry) -> bool:
        """`sluis/v1/register`."""
        return self._good(entry, "sluis/v1/register", _REGISTER, _is_register)

    def encryption_key(self, entry: LogEntry) -> bool:
        """`sluis/v1/encryption-key`."""
        return self._good(entry, "sluis/v1/encryption-key", _ENCRYPTION_KEY, _is_encryption_key)

    def epoch(self, entry: LogEntry) -> bool:
        """`sluis/v1/epoch`."""
        return self._good(entry, "sluis/v1/epoch", _EPOCH, _is_epoch)

    def key_end(self, entry: LogEntry) -> bool:
        """`sluis/v1/key-end`."""
        return self._good(entry, "sluis/v1/key-end", _KEY_END, _is_key_end)

    def _good(self, entry: LogEntry, kind: str, members: Mapping[str, str], more: Any) -> bool:
        statement = entry.body["statement"]
        good = (
            statement.keys() == members.keys()
            and statement["type"] == kind
            and all(has_shape(statement[name], shape) for name, shape in members.items())
            and more(statement)
        )
        if not good:
            self._findings.add(Code.STATEMENT_FORM, index=entry.index)
            return False
        if (statement["origin"], statement["environment"]) != self._scope:
            self._findings.add(Code.STATEMENT_DIFFERS, index=entry.index)
        return True


def _is_ask(statement: Mapping[str, Any]) -> bool:
    want, answerers = statement["want"], statement["answerers"]
    return (
        want.keys() == _WANT.keys()
        and all(has_shape(want[name], shape) for name, shape in _WANT.items())
        and 1 <= len(answerers) <= _MOST_ANSWERERS
        and _is_sorted(answerers)
        and _is_sorted(want["attributes"])
    )


def _is_register(statement: Mapping[str, Any]) -> bool:
    return _is_sorted(statement["attributes"])


def _is_encryption_key(statement: Mapping[str, Any]) -> bool:
    return statement["kem"] == _KEM and _PUBLIC_KEY.fullmatch(statement["public_key"]) is not None


def _is_epoch(statement: Mapping[str, Any]) -> bool:
    recipients = statement["recipients"]
    return bool(recipients) and all(map(_is_recipient, recipients.values()))


def _is_key_end(statement: Mapping[str, Any]) -> bool:
    of_epoch = statement["what"] != "encryption-key-destroyed"
    named = (statement["purpose"] is not None, statement["epoch"] is not None)
    return statement["reason"] in _ENDS.get(statement["what"], ()) and named == (of_epoch, of_epoch)


def _is_recipient(value: object) -> bool:
    """Which encryption key an envelope is for, and which envelope."""
    return (
        isinstance(value, dict)
        and value.keys() == {"envelope", "key"}
        and all(isinstance(digest, str) and _SHORT_DIGEST.fullmatch(digest) for digest in value.values())
    )


def _is_sorted(names: list[str]) -> bool:
    """Sorted and without duplicates."""
    return all(one < other for one, other in pairwise(names))
