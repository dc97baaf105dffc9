"""A person's pseudonyms as an agency of an `audit_kit.World` gives them to an auditor, and its answer to the person."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from audit_kit import EPOCH, World, authority, b64
from log_kit import ORIGIN, time_text
from sluis_client.envelopes import seal_to

from broker.audit.vault_export import public_of
from broker.canonical import canonical_json, encode

KEY_ID = "cd" * 16


def tokens_of_one(salt: int, number: int) -> bytes:
    """The tokens value of subject `number` of a question that `audit_kit.tokens_value(..., salt)` made."""
    return encode(b"\x01", hashlib.sha256(b"%d %d" % (salt, number)).digest()[:16])


def row(tokens: bytes, purpose: str = "snf-locatie", epoch: str = EPOCH, key_id: str = KEY_ID) -> dict[str, str]:
    return {"purpose": purpose, "epoch": epoch, "key_id": key_id, "tokens": b64(tokens)}


def person_file(
    world: World, rows: Sequence[dict[str, str]], seed: bytes, party: str = "utrecht", **bend: Any
) -> bytes:
    """The file. `bend`: other members of its statement, `envelope_head` of its head, `signer` who signs."""
    key = hashlib.sha256(public_of(seed)).hexdigest()
    head = {"file": "sluis/v1/subject-pseudonyms", "key": key, "origin": ORIGIN, "party": party}
    head |= bend.pop("envelope_head", {})
    member = bend.pop("signer", authority().members[party])
    listed = bend.pop("listed", list(rows))
    statement = {
        "type": "sluis/v1/subject-pseudonyms",
        "origin": ORIGIN,
        "environment": "test",
        "party": party,
        "auditor_key": key,
        "scheme": "bag",
        "pseudonyms": hashlib.sha256(canonical_json({"rows": list(rows)})).hexdigest(),
        "made_at": time_text(world.at),
        **bend,
    }
    inner = {
        "statement": canonical_json(statement).decode(),
        "signature": member.sign(statement),
        "certificate": b64(member.der),
        "pseudonyms": listed,
    }
    envelope = seal_to(public_of(seed), canonical_json(inner), canonical_json(head))
    return canonical_json({**head, "envelope": base64.b64encode(envelope).decode()}) + b"\n"


def signed_answer(answer: dict[str, Any], party: str = "utrecht") -> bytes:
    """An answer as `sluis-client subject` signs it."""
    member = authority().members[party]
    named = {name: answer[name] for name in ("party", "origin", "environment", "made_at")}
    statement = {
        "type": "sluis/v1/subject-answer",
        **named,
        "answer": hashlib.sha256(canonical_json(answer)).hexdigest(),
    }
    signed = {"statement": canonical_json(statement).decode(), "signature": member.sign(statement)}
    return json.dumps({"answer": answer, **signed, "certificate": b64(member.der)}).encode()
