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
from sluis_client.certificates import oin_of, read_certificate
from sluis_client.errors import ClientError, Exit
from sluis_client.merkle import leaf_hash, verify_inclusion
from sluis_client.receipts import ReceiptError, parse_checkpoint, receipt_broken, verify_receipt
from sluis_client.statement_shapes import ASK, LIVE_ANSWER, REGISTER
from sluis_client.statements import SignedStatement, verify
from sluis_client.transport import Opening, Receipt
from sluis_client.witnessed import Seen, WitnessRule, seen_under

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


def asker_file(
    signed: SignedStatement,
    certificate: bytes,
    answers: Sequence[CheckedAnswer],
    cover: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The file of an asker. Holds no row, no identifier and no pseudonym. `cover`: see `witnessed.cover_json`."""
    return {
        "format": FORMAT,
        "question": {**_signed_json(signed), "certificate": _base64(certificate)},
        "answers": [
            {
                "answerer": answer.answerer,
                "status": answer.status,
                "ask": receipt_json(answer.received.ask),
                "release": receipt_json(answer.received.release),
                "result": _opening_json(answer.received.result),
                "manifest": None
                if answer.received.register is None
                else {**_signed_json(answer.received.register.manifest), "certificate": _base64(answer.certificate)},
                **_live_json(answer),
            }
            for answer in answers
        ],
        **({} if cover is None else {"witnessed": dict(cover)}),
    }


def _live_json(answer: CheckedAnswer) -> dict[str, Any]:
    live = answer.received.live
    return {} if live is None else {"live": {**_signed_json(live[0]), "certificate": _base64(live[1])}}


def answerer_file(receipts: Sequence[Receipt], cover: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The file of an answerer."""
    witnessed = {} if cover is None else {"witnessed": dict(cover)}
    return {"format": FORMAT, "receipts": [receipt_json(receipt) for receipt in receipts], **witnessed}


@dataclass(frozen=True)
class Expected:
    """What a file is held against: the log's verifier keys, and whose exchanges they must be ("": anybody's).

    `oin`: that of the party's certificate; "" when it is not at hand, and then not compared.
    """

    log_keys: Sequence[str]
    party: str = ""
    oin: str = ""


def verify_file(data: bytes, expected: Expected) -> tuple[Proven, ...]:
    """What a file proves.

    Raises:
        ClientError: RECEIPT_BROKEN (a `ReceiptError`), SIGNATURE_WRONG, STATEMENT_INVALID (exit code 6);
            FILE_UNREADABLE when it is no receipts file.
    """
    try:
        value = json.loads(data)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise _unreadable()
        members = set(value) - {"witnessed"}
        if members == {"format", "receipts"}:
            return _verify_receipts([receipt_of(item) for item in value["receipts"]], expected)
        if members == {"format", "question", "answers"}:
            return _verify_asker(value, expected)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        # from None: the parser's message quotes what it read
        raise _unreadable() from None
    raise _unreadable()


def receipts_in(data: bytes) -> tuple[Receipt, ...]:
    """The receipts in a file that `verify_file` took."""
    value = json.loads(data)
    if "receipts" in value:
        return tuple(receipt_of(item) for item in value["receipts"])
    return tuple(receipt_of(item[part]) for item in value["answers"] for part in ("ask", "release") if item[part])


def seen_in(data: bytes, log_keys: Sequence[str], rule: WitnessRule) -> Seen | None:
    """Who saw the log of all receipts in a file that `verify_file` took; None: one at least is log-signed only.

    Raises:
        ClientError: RECEIPT_BROKEN for a wrong cosignature or proof; FILE_UNREADABLE.
    """
    try:
        notes = [receipt.checkpoint for receipt in receipts_in(data)]
        return seen_under(notes, json.loads(data).get("witnessed"), log_keys, rule)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise _unreadable() from None


def _verify_asker(value: Mapping[str, Any], expected: Expected) -> tuple[Proven, ...]:
    question = value["question"]
    signed = _signed_of(question)
    certificate = base64.b64decode(question["certificate"], validate=True)
    statement = verify(signed, certificate, ASK)
    _demand_ours(statement, expected.party, "the question")
    if expected.oin and statement["asker"] == expected.party and oin_of(read_certificate(certificate)) != expected.oin:
        raise receipt_broken("its question is signed with the certificate of another organisation", "not-ours")
    receipts = [receipt_of(item[part]) for item in value["answers"] for part in ("ask", "release") if item[part]]
    if sorted(item["answerer"] for item in value["answers"]) != statement["answerers"]:
        raise receipt_broken("the file does not hold one answer of each answerer asked")
    proven: list[Proven] = []
    for item in value["answers"]:
        receipt = receipt_of(item["ask"])
        ask = _verify_one(receipt, receipts, expected)
        _demand(ask["kind"] == "ask", "its ask entry is of another kind")
        check_ask_entry(ask["body"], signed, item["answerer"])
        named = ask["body"]["certificate"] == hashlib.sha256(certificate).hexdigest()
        _demand(named, "its ask entry names another certificate than the file")
        effect = ask["body"]["decision"]["effect"]
        proven.append(_proven(ask, receipt.index, effect))
        if item["release"] is None:
            _demand(effect == "deny" and item["status"] == "DENIED", "a permitted ask lacks its release entry")
            continue
        receipt = receipt_of(item["release"])
        release = _verify_one(receipt, receipts, expected)
        _demand(release["kind"] == "release", "its release entry is of another kind")
        ask_index = proven[-1].index
        check_release_entry(release["body"], ask["body"], ask_index, item["status"], item["answerer"])
        _check_opening(release["body"], item)
        _check_manifest(release["body"], item)
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


def _check_manifest(release: Mapping[str, Any], item: Mapping[str, Any]) -> None:
    """The answerer signed the manifest, and it is of the register that the log names; or it signed this live answer."""
    if "live" in item:
        said = verify(
            _signed_of(item["live"]), base64.b64decode(item["live"]["certificate"], validate=True), LIVE_ANSWER
        )
        same = all(said[name] == release[name] for name in ("answerer", "asker", "exchange"))
        _demand(same, "what its live answerer signed is of another exchange")
    if item["manifest"] is None:
        return
    signed = _signed_of(item["manifest"])
    verify(signed, base64.b64decode(item["manifest"]["certificate"], validate=True), REGISTER)
    named = release["register"] or {}
    _demand(
        hashlib.sha256(signed.statement).hexdigest() == named.get("manifest"),
        "its register manifest is not the one that the log names",
    )


def _verify_one(receipt: Receipt, all_of_file: Sequence[Receipt], expected: Expected) -> dict[str, Any]:
    """The entry that a receipt proves; where it proves none, the other receipts of the file help to tell why."""
    try:
        return verify_receipt(receipt, expected.log_keys)
    except ReceiptError as error:
        if error.why != "entry-altered":
            raise
        head = parse_checkpoint(receipt.checkpoint, expected.log_keys)
        for other in all_of_file:
            digest = leaf_hash(other.leaf)
            if other.leaf != receipt.leaf and verify_inclusion(
                digest, other.index, head.size, receipt.inclusion, head.root
            ):
                text = f"the proof beside entry {receipt.index} is that of entry {other.index}"
                raise receipt_broken(text, "other-entry") from None
        raise


def _demand_ours(body: Mapping[str, Any], party: str, what: str) -> None:
    concerned = [body.get(name) for name in ("asker", "principal", "answerer")]
    if party and party not in concerned:
        raise receipt_broken(f"{what} is of an exchange between others, not of {party}", "not-ours")


def _verify_receipts(receipts: Sequence[Receipt], expected: Expected) -> tuple[Proven, ...]:
    entries = {receipt.index: _verify_one(receipt, receipts, expected) for receipt in receipts}
    proven: list[Proven] = []
    for index, entry in sorted(entries.items()):
        body, kind = entry["body"], entry["kind"]
        _demand(kind in ("ask", "release"), "it holds an entry that is neither ask nor release")
        _demand_release_or_ask_of(body, entries, expected.party, index)
        if kind == "release" and body["ask_index"] in entries:
            ask = entries[body["ask_index"]]
            _demand(ask["kind"] == "ask", "a release names an entry that is no ask")
            check_release_entry(body, ask["body"], body["ask_index"], body["status"], ask["body"]["answerer"])
        proven.append(_proven(entry, index, body["decision"]["effect"] if kind == "ask" else body["status"]))
    return tuple(proven)


def _demand_release_or_ask_of(
    body: Mapping[str, Any], entries: Mapping[int, Mapping[str, Any]], party: str, index: int
) -> None:
    """A release names no principal: its ask does, where the file holds that."""
    ask = entries.get(body.get("ask_index", -1))
    principal = ask["body"].get("principal") if ask is not None else body.get("principal")
    _demand_ours({**body, "principal": principal}, party, f"entry {index}")


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
        "FILE_UNREADABLE",
        "this is no receipts file as `match` or `receipts fetch` writes it; that of answers.csv is "
        "answers.csv.receipts.json",
        Exit.USAGE,
    )


def receipt_json(receipt: Receipt | None) -> dict[str, Any] | None:
    """A receipt as files hold it."""
    if receipt is None:
        return None
    return {
        "leaf": _base64(receipt.leaf),
        "index": receipt.index,
        "inclusion": [_base64(node) for node in receipt.inclusion],
        "checkpoint": receipt.checkpoint,
    }


def receipt_of(value: Mapping[str, Any]) -> Receipt:
    """The receipt in a file; it proves nothing before it is verified. Raises FILE_UNREADABLE, ValueError, KeyError."""
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
