"""A person's pseudonyms for an auditor, who searches without the broker (docs/formats.md, Subject access).

They are pseudonyms under every purpose and epoch whose key this agency keeps: whoever has them and the questions of a
log can find the person there. So the file is encrypted to the auditor's key, and signed, for the agency answers for it.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from sluis_client.canonical import canonical_json, tokens_value
from sluis_client.envelopes import seal_to
from sluis_client.errors import ClientError, Exit
from sluis_client.participant import Participant
from sluis_client.register_table import scheme_named
from sluis_client.statement_shapes import SUBJECT_PSEUDONYMS
from sluis_client.statements import utc
from sluis_client.subject import Sought, kept_keys, pseudonyms_of, purposes_of


def read_auditor_key(text: str) -> bytes:
    """The public key in a .pub file of `sluis audit keys`, one that can be encrypted to. Raises KEY_UNREADABLE."""
    try:
        public = bytes.fromhex(text.strip())
        seal_to(public, b"", b"")
    except ValueError:
        what = "--auditor-key is the .pub file that the auditor's `sluis audit keys` made"
        raise ClientError("KEY_UNREADABLE", what, Exit.KEY_TROUBLE) from None
    return public


def auditor_file(me: Participant, sought: Sought, public: bytes) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """The file for an auditor with the key `public`, and the purposes and epochs in it. Nothing is asked of the log.

    Raises:
        ClientError: SCHEME_UNKNOWN, PURPOSE_UNKNOWN, NOTHING_TO_SEARCH, KEY_UNREADABLE.
    """
    scheme, profile = scheme_named(sought.scheme), me.profile
    rows = [
        {
            "purpose": key.purpose,
            "epoch": key.epoch,
            "key_id": key.key_id,
            "tokens": _base64(tokens_value(columns)),
        }
        for name in purposes_of(me, sought.scheme, sought.purposes)
        for key in kept_keys(me, name)
        if (columns := pseudonyms_of(me, key, scheme, sought.keys)) is not None
    ]
    if not rows:
        text = f"no key of a purpose that identifies by {sought.scheme} is kept here: there is nothing to give"
        raise ClientError("NOTHING_TO_SEARCH", text)
    head: dict[str, Any] = {
        "file": SUBJECT_PSEUDONYMS,
        "key": hashlib.sha256(public).hexdigest(),
        "origin": profile.origin,
        "party": profile.party,
    }
    signed = me.key.sign(
        {
            "type": SUBJECT_PSEUDONYMS,
            "origin": profile.origin,
            "environment": profile.environment,
            "party": profile.party,
            "auditor_key": head["key"],
            "scheme": sought.scheme,
            "pseudonyms": hashlib.sha256(canonical_json({"rows": rows})).hexdigest(),
            "made_at": utc(me.now()),
        }
    )
    inner = {
        "statement": signed.statement.decode(),
        "signature": _base64(signed.signature),
        "certificate": _base64(me.key.certificate),
        "pseudonyms": rows,
    }
    envelope = seal_to(public, canonical_json(inner), canonical_json(head))
    data = canonical_json({**head, "envelope": _base64(envelope)}) + b"\n"
    return data, tuple((row["purpose"], row["epoch"]) for row in rows)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
