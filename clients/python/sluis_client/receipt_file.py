"""Receipts in a file, and what such a file proves offline: with the profile alone, without the broker.

An asker's file holds its signed question and, for each answerer, the receipts and the opening of the result commitment.
An answerer's file (`receipts fetch`) holds receipts only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluis_client.answers import CheckedAnswer, check_ask_entry, check_release_entry
from sluis_client.canonical import commitment
from sluis_client.errors import ClientError, Exit
from sluis_client.participant import receipt_broken
from sluis_client.receipts import verify_receipt
from sluis_client.statement_shapes import ASK
from sluis_client.statements import SignedStatement, verify
from sluis_client.transport import Opening, Receipt

FORMAT = "sluis-client/receipts/1"


@dataclass(frozen=True)
class Proven:
    """One line of what a file proves."""

    index: int
    kind: str
    exchange: str
    asker: str
    answerer: str
    sequenced_at: str
    says: str


def asker_file(signed: SignedStatement, certificate: bytes, answers: Sequence[CheckedAnswer]) -> dict[str, Any]:
    """The file of an asker. Holds no row, no identifier and no pseudonym."""
    return {
        "format": FORMAT,
        "question": {**_signed_json(signed), "certificate": _base64(certificate)},
        "answers": [
            {
                "answerer": answer.answerer,
                "status": answer.status,
                "ask": _receipt_json(answer.received.ask),
                "release": _receipt_json(answer.received.release),
                "result": _opening_json(answer.received.result),
                "manifest": None
                if answer.received.register is None
                else {**_signed_json(answer.received.register.manifest), "certificate": _base64(answer.certificate)},
            }
            for answer in answers
        ],
    }


def answerer_file(receipts: Sequence[Receipt]) -> dict[str, Any]:
    """The file of an answerer."""
    return {"format": FORMAT, "receipts": [_receipt_json(receipt) for receipt in receipts]}


def verify_file(data: bytes, log_keys: Sequence[str]) -> tuple[Proven, ...]:
    """What a file proves under the log's verifier keys.

    Raises:
        ClientError: RECEIPT_BROKEN, SIGNATURE_WRONG, STATEMENT_INVALID (exit code 6); FILE_UNREADABLE when it is no
            receipts file.
    """
    try:
        value = json.loads(data)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise _unreadable()
        if set(value) == {"format", "receipts"}:
            return _verify_receipts([_receipt_of(item) for item in value["receipts"]], log_keys)
        if set(value) == {"format", "question", "answers"}:
            return _verify_asker(value, log_keys)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        # from None: the parser's message quotes what it read
        raise _unreadable() from None
    raise _unreadable()


def _verify_asker(value: Mapping[str, Any], log_keys: Sequence[str]) -> tuple[Proven, ...]:
    question = value["question"]
    signed = _signed_of(question)
    certificate = base64.b64decode(question["certificate"], validate=True)
    statement = verify(signed, certificate, ASK)
    if sorted(item["answerer"] for item in value["answers"]) != statement["answerers"]:
        raise receipt_broken("the file does not hold one answer of each answerer asked")
    proven: list[Proven] = []
    for item in value["answers"]:
        receipt = _receipt_of(item["ask"])
        ask = verify_receipt(receipt, log_keys)
        _demand(ask["kind"] == "ask", "its ask entry is of another kind")
        check_ask_entry(ask["body"], signed, item["answerer"])
        named = ask["body"]["certificate"] == hashlib.sha256(certificate).hexdigest()
        _demand(named, "its ask entry names another certificate than the file")
        effect = ask["body"]["decision"]["effect"]
        proven.append(_proven(ask, receipt.index, effect))
        if item["release"] is None:
            _demand(effect == "deny" and item["status"] == "DENIED", "a permitted ask lacks its release entry")
            continue
        receipt = _receipt_of(item["release"])
        release = verify_receipt(receipt, log_keys)
        _demand(release["kind"] == "release", "its release entry is of another kind")
        ask_index = proven[-1].index
        check_release_entry(release["body"], ask["body"], ask_index, item["status"], item["answerer"])
        _check_opening(release["body"], item)
        proven.append(_proven(release, receipt.index, release["body"]["status"]))
    return tuple(proven)


def _check_opening(release: Mapping[str, Any], item: Mapping[str, Any]) -> None:
    if release["result"] is None:
        _demand(item["result"] is None, "it opens a result that was never committed to")
        return
    opening = Opening(bytes.fromhex(item["result"]["salt"]), bytes.fromhex(item["result"]["value"]))
    _demand(
        commitment("result", opening.salt, opening.value) == release["result"],
        "its result is not the one that the log commits to",
    )


def _verify_receipts(receipts: Sequence[Receipt], log_keys: Sequence[str]) -> tuple[Proven, ...]:
    entries = {receipt.index: verify_receipt(receipt, log_keys) for receipt in receipts}
    proven: list[Proven] = []
    for index, entry in sorted(entries.items()):
        body, kind = entry["body"], entry["kind"]
        _demand(kind in ("ask", "release"), "it holds an entry that is neither ask nor release")
        if kind == "release" and body["ask_index"] in entries:
            ask = entries[body["ask_index"]]
            _demand(ask["kind"] == "ask", "a release names an entry that is no ask")
            check_release_entry(body, ask["body"], body["ask_index"], body["status"], ask["body"]["answerer"])
        proven.append(_proven(entry, index, body["decision"]["effect"] if kind == "ask" else body["status"]))
    return tuple(proven)


def _proven(entry: Mapping[str, Any], index: int, says: str) -> Proven:
    body = entry["body"]
    return Proven(
        index, entry["kind"], body["exchange"], body["asker"], body["answerer"], str(entry["sequenced_at"]), says
    )


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise receipt_broken(otherwise)


def _unreadable() -> ClientError:
    return ClientError(
        "FILE_UNREADABLE", "this is no receipts file as `match` or `receipts fetch` writes it", Exit.USAGE
    )


def _receipt_json(receipt: Receipt | None) -> dict[str, Any] | None:
    if receipt is None:
        return None
    return {
        "leaf": _base64(receipt.leaf),
        "index": receipt.index,
        "inclusion": [_base64(node) for node in receipt.inclusion],
        "checkpoint": receipt.checkpoint,
    }


def _receipt_of(value: Mapping[str, Any]) -> Receipt:
    if not isinstance(value["index"], int) or not isinstance(value["checkpoint"], str):
        raise _unreadable()
    leaf = base64.b64decode(value["leaf"], validate=True)
    inclusion = tuple(base64.b64decode(node, validate=True) for node in value["inclusion"])
    return Receipt(leaf, value["index"], inclusion, value["checkpoint"])


def _opening_json(opening: Opening | None) -> dict[str, str] | None:
    return None if opening is None else {"salt": opening.salt.hex(), "value": opening.value.hex()}


def _signed_json(signed: SignedStatement) -> dict[str, str]:
    return {"statement": signed.statement.decode(), "signature": _base64(signed.signature)}


def _signed_of(value: Mapping[str, Any]) -> SignedStatement:
    return SignedStatement(value["statement"].encode(), base64.b64decode(value["signature"], validate=True))


def _base64(data: bytes | None) -> str:
    return base64.b64encode(data or b"").decode()
