"""The answer to a person in a file: signed by the agency, with the receipts that prove it (docs/formats.md, Subject
access).

Verified offline: the agency's signature, and every line against the log entries that its receipts prove.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluis_client.canonical import canonical_json
from sluis_client.certificates import check_certificate, oin_of, read_certificate
from sluis_client.errors import ClientError, Exit
from sluis_client.participant import Participant
from sluis_client.receipt_file import receipt_of
from sluis_client.receipts import verify_receipt
from sluis_client.statement_shapes import SUBJECT_ANSWER
from sluis_client.statements import SignedStatement, parse_utc, verify
from sluis_client.subject import FORMAT, exchange_told, refused
from sluis_client.subject_transport import Touched


@dataclass(frozen=True)
class Verified:
    """An answer that holds. `oin`: of the certificate that signed it; `entries`: so many were proven."""

    answer: Mapping[str, Any]
    oin: str
    entries: int


def signed_file(me: Participant, answer: Mapping[str, Any]) -> bytes:
    """The file of an answer."""
    signed = me.key.sign(
        {
            "type": SUBJECT_ANSWER,
            "origin": me.profile.origin,
            "environment": me.profile.environment,
            "party": me.profile.party,
            "answer": _digest(answer),
            "made_at": answer["made_at"],
        }
    )
    value = {
        "answer": answer,
        "statement": signed.statement.decode(),
        "signature": base64.b64encode(signed.signature).decode(),
        "certificate": base64.b64encode(me.key.certificate).decode(),
    }
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def verify_file(data: bytes, log_keys: Sequence[str], issuers: bytes) -> Verified:
    """The answer in a file, once its signature and all its receipts verify.

    `issuers`: PEM of the CAs that vouch for parties. Whether its OIN is the party's, the reader must see.

    Raises:
        ClientError: FILE_UNREADABLE; ANSWER_BROKEN, SIGNATURE_WRONG, CERTIFICATE_WRONG, RECEIPT_BROKEN.
    """
    try:
        value = json.loads(data)
        answer = value["answer"]
        if answer["format"] != FORMAT:
            raise KeyError
        return _verified(value, answer, log_keys, issuers)
    except (KeyError, TypeError, ValueError, AttributeError):
        text = "this is no answer as `sluis-client subject` writes it"
        raise ClientError("FILE_UNREADABLE", text, Exit.USAGE) from None


def _verified(value: Mapping[str, Any], answer: Mapping[str, Any], log_keys: Sequence[str], issuers: bytes) -> Verified:
    certificate = base64.b64decode(value["certificate"], validate=True)
    signed = SignedStatement(value["statement"].encode(), base64.b64decode(value["signature"], validate=True))
    stated = verify(signed, certificate, SUBJECT_ANSWER)
    if stated["answer"] != _digest(answer):
        raise refused("it is not what the agency signed")
    if any(stated[name] != answer[name] for name in ("party", "origin", "environment", "made_at")):
        raise refused("its signature is of another party, log or time")
    oin = oin_of(read_certificate(certificate))
    check_certificate(certificate, issuers, oin, parse_utc(answer["made_at"]))
    entries = sum(
        _check_epoch(answer, purpose["purpose"], epoch, log_keys)
        for purpose in answer["purposes"]
        for epoch in purpose["epochs"]
    )
    return Verified(answer, oin, entries)


def _check_epoch(answer: Mapping[str, Any], purpose: str, epoch: Mapping[str, Any], log_keys: Sequence[str]) -> int:
    """Holds one search against its entries; returns how many those are."""
    search = verify_receipt(receipt_of(epoch["search"]), log_keys)
    body = search["body"]
    expected = {
        "what": "subject-search",
        "party": answer["party"],
        "purpose": purpose,
        "epoch": epoch["epoch"],
        "searched": epoch["searched"],
        "unsearched": sum(one["questions"] for one in epoch["not_searched"]),
    }
    if search["kind"] != "access" or any(body.get(name) != wanted for name, wanted in expected.items()):
        raise refused("it says something else of a search than the log")
    count = 1
    for told in epoch["exchanges"]:
        one = Touched(receipt_of(told["ask"]), receipt_of(told["release"]) if told["release"] else None)
        ask = verify_receipt(one.ask, log_keys)
        release = None if one.release is None else verify_receipt(one.release, log_keys)
        if ask["kind"] != "ask" or (release is not None and release["kind"] != "release"):
            raise refused("a receipt proves another kind of entry")
        shown = exchange_told(ask["body"], ask, None if release is None else release["body"], one, answer["party"])
        of = (ask["body"]["purpose"], ask["body"]["statement"]["epoch"])
        if canonical_json(shown) != canonical_json(told) or of != (purpose, epoch["epoch"]):
            raise refused("it says something else of an exchange than the log")
        count += 1 + (release is not None)
    return count


def _digest(answer: object) -> str:
    return hashlib.sha256(canonical_json(answer)).hexdigest()
