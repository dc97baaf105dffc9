"""The table of bad input: RPC, field, what is bent, and the stable code that must come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bad_shapes import CANARY_NAME, OK, Bend, Messages, Row, columns, members, pages, put, restate, signatures, texts
from sluis.v1 import keys_pb2
from stage import CANARY, Stage

UUID = "11111111-1111-4111-8111-111111111111"


def _exchange_rows() -> Iterator[Row]:
    rpc = "ExchangeService/CheckRequest"
    yield from texts(rpc, "principal", optional=True)
    yield from texts(rpc, "answerers", many=True)
    yield Row(rpc, "answerers", "too many", put("answerers", [f"a{at}" for at in range(401)]), "FIELD_TOO_LONG")
    yield Row(rpc, "answerers", "twice", put("answerers", ["uwv", "uwv"]), "FIELD_INVALID")
    yield from texts(rpc, "purpose")
    yield from texts(rpc, "epoch", optional=True)
    yield from texts(rpc, "scheme")
    for field, values in {"match_keys": (0, 65, 2**32 - 1), "subjects": (0, 100_000_001, 2**64 - 1)}.items():
        for value in values:
            yield Row(rpc, field, str(value), put(field, value), "FIELD_INVALID")
    yield Row(rpc, "want", "missing", put("want", None), "FIELD_MISSING")
    for field in ("want.hit", "want.count"):
        for flag in (True, False):
            yield Row(rpc, field, f"{flag} is a question like another", put(field, flag), OK)
    attributes = [row for row in texts(rpc, "want.attributes", many=True) if row.what != "missing"]
    yield from attributes
    yield Row(rpc, "want.attributes", "none is a question like another", put("want.attributes", []), OK)
    yield Row(rpc, "want.attributes", "twice", put("want.attributes", ["a", "a"]), "FIELD_INVALID")
    many = [f"a{at}" for at in range(101)]
    yield Row(rpc, "want.attributes", "too many", put("want.attributes", many), "FIELD_TOO_LONG")
    yield Row(rpc, "case_number", "oversized", put("case_number", CANARY * 8), "FIELD_TOO_LONG")
    yield Row(rpc, "case_number", "oversized in bytes", put("case_number", "é" * 33), "FIELD_TOO_LONG")
    yield Row(rpc, "case_number", "any text is judged, none is kept", put("case_number", CANARY), OK)
    yield Row(rpc, "cooperation_ref", "oversized", put("cooperation_ref", CANARY * 23), "FIELD_TOO_LONG")
    yield Row(rpc, "cooperation_ref", "any text counts, none is kept", put("cooperation_ref", CANARY), OK)
    for rpc in ("ExchangeService/GetPurpose", "ExchangeService/GetBudget"):
        yield from texts(rpc, "purpose")
        yield Row(rpc, "purpose", "unknown", put("purpose", "no-such-purpose"), "PURPOSE_UNKNOWN")
        yield Row(rpc, "purpose", "of others", put("purpose", "snf-locatie"), "PURPOSE_UNKNOWN")
    rpc = "ExchangeService/GetPolicySet"
    yield from texts(rpc, "digest", optional=True)
    yield Row(rpc, "digest", "unknown", put("digest", "0" * 64), "NOT_FOUND")
    yield Row(rpc, "digest", "upper case", put("digest", "A" * 64), "FIELD_INVALID")
    rpc = "ExchangeService/GetExchange"
    yield from texts(rpc, "exchange")
    yield Row(rpc, "exchange", "unknown", put("exchange", UUID), "NOT_FOUND")
    yield Row(rpc, "exchange", "of others", lambda _s, _m: None, "NOT_FOUND", by="uwv")
    yield Row(rpc, "exchange", "UUID version 1", put("exchange", UUID.replace("-4", "-1")), "FIELD_INVALID")
    yield from pages("ExchangeService/ListPurposes")
    rpc = "ExchangeService/ListExchanges"
    yield from pages(rpc)
    yield from texts(rpc, "purpose", optional=True)
    for what, token in {
        "no number": "YWJj",
        "other digits": "2aPZpA==",
        "negative": "LTE=",
        "large": "OTk5OTk5OTk5OTk5OTk5OTk5OTk=",
        "very large": "OTk5" * 2000,
        "zero": "MA==",
    }.items():
        yield Row(rpc, "page_token", what, put("page_token", token), "PAGE_TOKEN_INVALID")


def _register_rows() -> Iterator[Row]:
    rpc = "RegisterService/BeginRegister"
    for field in ("request_id", "purpose", "epoch", "key_id", "scheme"):
        yield from texts(rpc, field)
    yield Row(rpc, "request_id", "upper case", put("request_id", f"A{UUID[1:]}"), "FIELD_INVALID")
    yield Row(rpc, "request_id", "UUID version 1", put("request_id", UUID.replace("-4", "-1")), "FIELD_INVALID")
    yield Row(rpc, "request_id", "of another upload", _reused, "REQUEST_ID_REUSED")
    yield Row(rpc, "purpose", "unknown", put("purpose", "no-such-purpose"), "PURPOSE_UNKNOWN")
    yield Row(rpc, "purpose", "not answered by the caller", put("purpose", "snf-locatie"), "POLICY_DENIES")
    yield Row(rpc, "purpose", "a draft", put("purpose", "nla-verzoek-persoon"), "POLICY_DENIES")
    yield Row(rpc, "epoch", "without a key", put("epoch", "2031Q1"), "EPOCH_UNKNOWN")
    yield Row(rpc, "key_id", "of another key", put("key_id", "0" * 32), "KEY_ID_WRONG")
    yield Row(rpc, "scheme", "not of the purpose", put("scheme", "bag"), "FIELD_INVALID")
    for value in (0, 2, 65, 2**32 - 1):
        yield Row(rpc, "match_keys", str(value), put("match_keys", value), "FIELD_INVALID")
    yield from (row for row in texts(rpc, "attributes", many=True) if row.what != "missing")
    yield Row(rpc, "attributes", "none is a register of hits", put("attributes", []), OK)
    yield Row(rpc, "attributes", "not of the purpose", put("attributes", ["beds"]), "FIELD_INVALID")
    twice = ["registered-employees", "registered-employees"]
    yield Row(rpc, "attributes", "twice", put("attributes", twice), "FIELD_INVALID")
    unsorted = ["registered-employees", "a1-statements"]
    yield Row(rpc, "attributes", "not sorted", put("attributes", unsorted), "FIELD_INVALID")
    yield Row(rpc, "attributes", "too many", put("attributes", [f"a{at}" for at in range(101)]), "FIELD_TOO_LONG")
    for rpc in ("RegisterService/GetUpload", "RegisterService/SealRegister", "RegisterService/UploadRows"):
        yield from texts(rpc, "upload")
        yield Row(rpc, "upload", "unknown", put("upload", f"uwv.{UUID}"), "NOT_FOUND")
        yield Row(rpc, "upload", "of others", lambda _s, _m: None, _NOT_OWNER[rpc], by="snf")
    yield from _upload_rows()
    yield from _seal_rows()
    for rpc in ("RegisterService/WithdrawRegister", "RegisterService/GetRegister"):
        yield from texts(rpc, "register")
        yield Row(rpc, "register", "unknown", put("register", "uwv/snf-locatie/2026Q4/bag"), "NOT_FOUND")
        yield Row(rpc, "register", "of others", lambda _s, _m: None, "NOT_FOUND", by="snf")
        yield Row(rpc, "register", "a path", put("register", "../../../etc/passwd"), "FIELD_INVALID")
        deep = f"uwv/{CANARY_NAME}/2026Q4/kvk"
        yield Row(rpc, "register", "a number in its purpose", put("register", deep), "FIELD_INVALID")
    yield from texts("RegisterService/WithdrawRegister", "request_id")
    yield from pages("RegisterService/ListRegisters")


_NOT_OWNER = {
    "RegisterService/GetUpload": "NOT_FOUND",
    "RegisterService/UploadRows": "NOT_FOUND",
    "RegisterService/SealRegister": "SIGNATURE_WRONG",
}


def _reused(stage: Stage, messages: Messages) -> None:
    messages[0].CopyFrom(stage.begin)
    put("attributes", [])(stage, messages)


def _upload_rows() -> Iterator[Row]:
    rpc = "RegisterService/UploadRows"
    yield Row(rpc, "upload", "sealed", lambda s, m: put("upload", s.sealed_upload)(s, m), "UPLOAD_SEALED")
    yield Row(rpc, "upload", "no message at all", lambda _, messages: messages.clear(), "STREAM_TRUNCATED")
    yield Row(rpc, "rows", "missing", put("rows", None), "FIELD_MISSING")
    for value in (1, 2**64 - 1):
        yield Row(rpc, "rows.offset", f"{value} leaves a gap", put("rows.offset", value), "OFFSET_WRONG")
    yield from columns(rpc, "rows.columns", 0)
    for field, code in {"rows.wraps": "COUNT_WRONG", "rows.fields": "COUNT_WRONG"}.items():
        yield Row(rpc, field, "missing", put(field, []), code)
        yield Row(rpc, field, "too many", put(field, lambda known: [known[0], known[0]]), code)
        yield Row(rpc, field, "a byte short", put(field, lambda known: [known[0][:-1]]), "LENGTH_WRONG")
        yield Row(rpc, field, "a byte long", put(field, lambda known: [known[0] + b"\1"]), "LENGTH_WRONG")
    yield Row(rpc, "rows.commitments", "missing", put("rows.commitments", b""), "LENGTH_WRONG")
    yield Row(rpc, "rows.commitments", "a byte short", put("rows.commitments", lambda one: one[:-1]), "LENGTH_WRONG")


REGISTER_MEMBERS = [
    "answerer",
    "as_of",
    "attributes",
    "coverage",
    "digest",
    "environment",
    "epoch",
    "expires_at",
    "key_id",
    "match_keys",
    "origin",
    "purpose",
    "rows",
    "rules",
    "scheme",
    "type",
    "version",
]


def _seal_rows() -> Iterator[Row]:
    rpc = "RegisterService/SealRegister"

    def said(**changes: Any) -> Bend:
        return restate("manifest", "uwv", lambda statement: statement.update(changes))

    yield Row(rpc, "upload", "sealed", lambda s, m: put("upload", s.sealed_upload)(s, m), "UPLOAD_SEALED")
    other = Row(rpc, "upload", "another", lambda s, m: put("upload", s.open_upload.upload)(s, m), "STATEMENT_INVALID")
    yield other
    yield from signatures(rpc, "manifest", "uwv")
    yield from members(rpc, "manifest", "uwv", "sluis/v1/register", REGISTER_MEMBERS)
    where = "manifest.statement"
    for what, bend, code in (
        ("one row more", said(rows=41), "COUNT_WRONG"),
        ("one row less", said(rows=39), "COUNT_WRONG"),
        ("no rows", said(rows=0), "COUNT_WRONG"),
        ("another digest", said(digest="0" * 64), "DIGEST_WRONG"),
        ("another answerer", said(answerer="svb"), "STATEMENT_INVALID"),
        ("another purpose", said(purpose="snf-locatie"), "STATEMENT_INVALID"),
        ("another version", said(version=99), "STATEMENT_INVALID"),
        ("expired", said(expires_at="2026-11-23T09:00:00Z"), "STATEMENT_INVALID"),
        ("expires on no day", said(expires_at="2026-02-30T09:00:00Z"), "STATEMENT_INVALID"),
        ("as of the future", said(as_of="2026-12-23T09:00:00Z"), "STATEMENT_INVALID"),
        ("as of the end of time", said(as_of="9999-12-31T23:59:59Z"), "STATEMENT_INVALID"),
        ("coverage too long", said(coverage="é" * 251), "STATEMENT_INVALID"),
        ("coverage empty", said(coverage=""), "STATEMENT_INVALID"),
        ("coverage with a number", said(coverage=f"only {CANARY}"), "STATEMENT_INVALID"),
        ("a rule with a number", said(rules={"valid_on": CANARY}), "STATEMENT_INVALID"),
        ("a rule that is a number", said(rules={"look_back_years": int(CANARY)}), "STATEMENT_INVALID"),
        ("a rule nobody asked", said(rules={"valid_on": "as-of"}), "STATEMENT_INVALID"),
        ("a rule that is a list", said(rules={"valid_on": []}), "STATEMENT_INVALID"),
        ("too many rules", said(rules={f"r{at}": 1 for at in range(17)}), "STATEMENT_INVALID"),
        ("attributes not sorted", said(attributes=["b", "a"]), "STATEMENT_INVALID"),
        ("rows true", said(rows=True), "STATEMENT_INVALID"),
    ):
        yield Row(rpc, where, what, bend, code)


EPOCH_MEMBERS = [
    "created_at",
    "environment",
    "epoch",
    "key_id",
    "mode",
    "origin",
    "purpose",
    "recipients",
    "recipients.snf.envelope",
    "recipients.snf.key",
    "steward",
    "type",
    "valid_from",
    "valid_until",
]
KEY_MEMBERS = ["created_at", "environment", "kem", "origin", "party", "public_key", "type"]


def _key_rows() -> Iterator[Row]:
    rpc = "KeyService/PublishEncryptionKey"
    yield from signatures(rpc, "key", "snf")
    yield from members(rpc, "key", "snf", "sluis/v1/encryption-key", KEY_MEMBERS)
    stranger = restate("key", "snf", lambda one: one.update(party="uwv"))
    yield Row(rpc, "key.statement", "of another party", stranger, "NOT_YOURS")
    rpc = "KeyService/ListEncryptionKeys"
    yield from texts(rpc, "parties", many=True)
    yield Row(rpc, "parties", "too many", put("parties", [f"a{at}" for at in range(401)]), "FIELD_TOO_LONG")
    yield Row(rpc, "parties", "twice", put("parties", ["snf", "snf"]), "FIELD_INVALID")
    rpc = "KeyService/GetEpoch"
    yield from texts(rpc, "purpose")
    yield Row(rpc, "purpose", "unknown", put("purpose", "no-such-purpose"), "PURPOSE_UNKNOWN")
    yield from texts(rpc, "epoch", optional=True)
    yield Row(rpc, "epoch", "without a key", put("epoch", "2031Q1"), "EPOCH_UNKNOWN")
    yield from _epoch_rows()
    yield from _end_rows()


END_MEMBERS = [
    "caches",
    "ended_at",
    "environment",
    "epoch",
    "key_id",
    "origin",
    "party",
    "purpose",
    "reason",
    "type",
    "what",
]


def _end_rows() -> Iterator[Row]:
    rpc = "KeyService/EndKey"

    def said(by: str = "nla", **changes: Any) -> Bend:
        return restate("end", by, lambda statement: statement.update(changes))

    yield from signatures(rpc, "end", "nla")
    yield from members(rpc, "end", "nla", "sluis/v1/key-end", END_MEMBERS)
    where = "end.statement"
    encryption = {"what": "encryption-key-destroyed", "reason": "renewed", "purpose": None, "epoch": None}
    retired = {"what": "retired", "reason": "leak"}
    for what, bend, code in (
        ("of another party", said(party="uwv"), "NOT_YOURS"),
        ("of an epoch without a key", said(epoch="2031Q1"), "EPOCH_UNKNOWN"),
        ("of another key", said(key_id="0" * 32), "KEY_ID_WRONG"),
        ("of no epoch", said(epoch=None), "STATEMENT_INVALID"),
        ("of a first key named as one", said(epoch="2026Q4.1"), "STATEMENT_INVALID"),
        ("a reason of something else", said(reason="renewed"), "STATEMENT_INVALID"),
        ("destroyed while it is needed", said(what="destroyed", reason="escrow-over"), "STATEMENT_INVALID"),
        ("an encryption key with an epoch", said(**{**encryption, "epoch": "2026Q4"}), "STATEMENT_INVALID"),
        ("no encryption key that was replaced", said(**encryption), "ENCRYPTION_KEY_MISSING"),
    ):
        yield Row(rpc, where, what, bend, code)
    stranger = said("uwv", party="uwv", **retired)
    yield Row(rpc, where, "retired by one that is no steward", stranger, "NOT_STEWARD", by="uwv")


def _epoch_rows() -> Iterator[Row]:
    rpc = "KeyService/PublishEpoch"

    def said(**changes: Any) -> Bend:
        return restate("manifest", "snf", lambda statement: statement.update(changes))

    yield from signatures(rpc, "manifest", "snf")
    yield from members(rpc, "manifest", "snf", "sluis/v1/epoch", EPOCH_MEMBERS)
    where = "manifest.statement"
    stranger = {"envelope": "0" * 32, "key": "0" * 32}
    for what, bend, code in (
        ("unknown purpose", said(purpose="no-such-purpose"), "PURPOSE_UNKNOWN"),
        ("a purpose of another steward", said(purpose="nla-verzoek-onderneming"), "NOT_STEWARD"),
        ("another steward", said(steward="nla"), "NOT_STEWARD"),
        ("mode oblivious", said(mode="oblivious"), "STATEMENT_INVALID"),
        ("nobody", said(recipients={}), "STATEMENT_INVALID"),
        ("a recipient short", _one_recipient, "FIELD_INVALID"),
        ("another epoch", said(epoch="2027Q1"), "STATEMENT_INVALID"),
        ("from another day", said(valid_from="2026-10-01T22:00:00Z"), "STATEMENT_INVALID"),
        ("from the beginning of time", said(valid_from="0001-01-01T00:00:00Z"), "STATEMENT_INVALID"),
        ("from the end of time", said(valid_from="9999-12-31T23:59:59Z"), "STATEMENT_INVALID"),
        ("in the last quarter of time", said(valid_from="9999-10-01T00:00:00Z"), "STATEMENT_INVALID"),
        ("recipients that take no part", said(recipients={"rvig": stranger}), "NOT_PARTICIPANT"),
        ("a recipient that is text", said(recipients={"snf": CANARY}), "STATEMENT_INVALID"),
    ):
        yield Row(rpc, where, what, bend, code)
    yield Row(rpc, where, "an epoch that has ended", _ended, "STATEMENT_INVALID")
    yield Row(rpc, where, "for an older encryption key", _older_key, "ENCRYPTION_KEY_MISSING")
    yield Row(rpc, where, "a second K", _second_key, "EPOCH_EXISTS", by="nla")
    yield Row(rpc, "envelopes", "missing", put("envelopes", []), "FIELD_MISSING")
    yield Row(rpc, "envelopes", "one too few", put("envelopes", lambda known: [known[0]]), "FIELD_INVALID")
    many = [keys_pb2.Envelope(recipient=f"a{at}", ciphertext=b"x") for at in range(401)]
    yield Row(rpc, "envelopes", "too many", put("envelopes", many), "FIELD_TOO_LONG")
    yield Row(rpc, "envelopes", "twice", put("envelopes", lambda known: [known[0], known[0]]), "FIELD_INVALID")
    yield from texts(rpc, "envelopes.recipient")
    yield Row(rpc, "envelopes.recipient", "another", put("envelopes.recipient", "rvig"), "FIELD_INVALID")
    sealed = "envelopes.ciphertext"
    yield Row(rpc, sealed, "missing", put(sealed, b""), "LENGTH_WRONG")
    yield Row(rpc, sealed, "oversized", put(sealed, b"x" * 4097), "LENGTH_WRONG")
    yield Row(rpc, sealed, "another", put(sealed, CANARY.encode()), "DIGEST_WRONG")


def _one_recipient(stage: Stage, messages: Messages) -> None:
    restate("manifest", "snf", lambda statement: statement["recipients"].pop("snf"))(stage, messages)


def _ended(stage: Stage, messages: Messages) -> None:
    change = {"epoch": "2026Q3", "valid_from": "2026-06-30T22:00:00Z", "valid_until": "2026-09-30T22:00:00Z"}
    restate("manifest", "snf", lambda statement: statement.update(change))(stage, messages)


def _older_key(stage: Stage, messages: Messages) -> None:
    def change(statement: dict[str, Any]) -> None:
        statement["recipients"]["snf"]["key"] = "0" * 32

    restate("manifest", "snf", change)(stage, messages)


def _second_key(stage: Stage, messages: Messages) -> None:
    request: Any = messages[0]
    published = stage.nla.keys.GetEpoch(keys_pb2.GetEpochRequest(purpose="nla-verzoek-onderneming"), timeout=20)
    theirs = stage.uwv.keys.GetEpoch(keys_pb2.GetEpochRequest(purpose="nla-verzoek-onderneming"), timeout=20)
    statement = json.loads(published.manifest.statement)
    statement["key_id"] = "0" * 32
    request.manifest.CopyFrom(stage.resigned("nla", statement))
    envelopes = [
        keys_pb2.Envelope(recipient="nla", ciphertext=published.envelope),
        keys_pb2.Envelope(recipient="uwv", ciphertext=theirs.envelope),
    ]
    put("envelopes", envelopes)(stage, messages)


def _audit_rows() -> Iterator[Row]:
    for name in ("ListEntries", "ListReceipts", "WatchReceipts"):
        rpc = f"AuditService/{name}"
        for value in (2**32, 2**63, 2**64 - 1):
            yield Row(rpc, "from_index", f"{value} behind the end", put("from_index", value), "FIELD_INVALID")
        if name != "WatchReceipts":
            yield from pages(rpc, token=False)
    rpc = "AuditService/ListReceipts"
    yield from texts(rpc, "exchange", optional=True)
    rpc = "AuditService/GetInclusionProof"
    for field in ("index", "tree_size"):
        for value in (2**32, 2**63, 2**64 - 1):
            yield Row(rpc, field, f"{value} behind the end", put(field, value), "FIELD_INVALID")
    rpc = "AuditService/GetConsistencyProof"
    for field in ("old_size", "new_size"):
        for value in (2**32, 2**63, 2**64 - 1):
            yield Row(rpc, field, f"{value} behind the end", put(field, value), "FIELD_INVALID")
    yield Row(rpc, "old_size", "none", put("old_size", 0), "FIELD_INVALID")
    yield Row(rpc, "new_size", "none means the newest", put("new_size", 0), OK)


SEARCH_MEMBERS = [
    "environment",
    "epoch",
    "key_id",
    "match_keys",
    "not_after",
    "origin",
    "party",
    "pseudonyms",
    "purpose",
    "request_id",
    "scheme",
    "type",
]


def _search_rows() -> Iterator[Row]:
    rpc = "AuditService/SearchSubject"
    yield from signatures(rpc, "signed", "nla")
    yield from members(rpc, "signed", "nla", "sluis/v1/subject-search", SEARCH_MEMBERS)
    for what, changes, code in (
        ("of another party", {"party": "uwv"}, "NOT_YOURS"),
        ("unknown purpose", {"purpose": "no-such-purpose"}, "PURPOSE_UNKNOWN"),
        ("a purpose of others", {"purpose": "snf-locatie"}, "PURPOSE_UNKNOWN"),
        ("an epoch without a key", {"epoch": "2031Q1"}, "EPOCH_UNKNOWN"),
        ("another key", {"key_id": "0" * 32}, "KEY_ID_WRONG"),
        ("two match keys", {"match_keys": 2}, "COUNT_WRONG"),
        ("no match key", {"match_keys": 0}, "STATEMENT_INVALID"),
        ("other pseudonyms", {"pseudonyms": "0" * 64}, "COMMITMENT_WRONG"),
        ("too old", {"not_after": "2026-11-23T09:00:00Z"}, "STATEMENT_EXPIRED"),
        ("far ahead", {"not_after": "2026-12-23T09:00:00Z"}, "STATEMENT_INVALID"),
    ):
        bend = restate("signed", "nla", lambda statement, changes=changes: statement.update(changes))
        yield Row(rpc, "signed.statement", what, bend, code)
    for what, salt in {"missing": b"", "short": b"s" * 31, "long": b"s" * 33}.items():
        yield Row(rpc, "salt", what, put("salt", salt), "LENGTH_WRONG")
    yield Row(rpc, "salt", "another", put("salt", b"s" * 32), "COMMITMENT_WRONG")
    field = "pseudonyms"
    yield Row(rpc, field, "missing", put(field, []), "COUNT_WRONG")
    yield Row(rpc, field, "too many", put(field, lambda known: [known[0]] * 65), "COUNT_WRONG")
    yield Row(rpc, field, "one too many", put(field, lambda known: [known[0]] * 2), "COUNT_WRONG")
    where = "pseudonyms.pseudonyms"
    yield Row(rpc, where, "another", put(where, bytes(range(16))), "COMMITMENT_WRONG")
    yield Row(rpc, where, "two rows", put(where, lambda one: one * 2), "FIELD_INVALID")
    yield Row(rpc, where, "a byte short", put(where, lambda one: one[:-1]), "LENGTH_WRONG")
    where = "pseudonyms.presence"
    yield Row(rpc, where, "too long", put(where, b"\1\1"), "LENGTH_WRONG")


def _pseudonym_rows() -> Iterator[Row]:
    """A broker without a key service reads nothing of these requests; with one: tests/e2e/test_key_service.py."""
    fields = {
        "GetPublicKey": ("purpose", "epoch"),
        "Evaluate": ("request_id", "purpose", "epoch", "blinded_elements"),
        "GetEvaluationBudget": ("purpose",),
    }
    for name, of in fields.items():
        for field in of:
            value: Any = CANARY.encode() if field == "blinded_elements" else CANARY
            for what, given in {"missing": None, "a number of a person": value, "oversized": value * 2000}.items():
                yield Row(f"PseudonymService/{name}", field, what, put(field, given), "MODE_NOT_AVAILABLE")


def unary_rows() -> list[Row]:
    """Every row but those of the question stream."""
    return [*_exchange_rows(), *_register_rows(), *_key_rows(), *_audit_rows(), *_search_rows(), *_pseudonym_rows()]
