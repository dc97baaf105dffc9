"""Sending a signed statement once, whatever is cut off: kept before it is sent, and dropped when it is logged."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sluis_client.canonical import SALT_BYTES
from sluis_client.errors import ClientError, Exit
from sluis_client.participant import Participant
from sluis_client.statements import SignedStatement

T = TypeVar("T")
_KIND = "statements"


def once(
    me: Participant,
    parts: Sequence[bytes],
    build: Callable[[str, bytes], Mapping[str, Any]],
    send: Callable[[SignedStatement, bytes], T],
) -> T:
    """Sends a statement that is kept until it is logged; an expired one was not logged, and is made anew."""
    name = me.keystore.fingerprint(b"rectification", *parts)
    record = me.keystore.record(_KIND, name)
    try:
        if record is not None:
            try:
                return _sent(record, send)
            except ClientError as error:
                if error.code != "STATEMENT_EXPIRED":
                    raise
        salt = os.urandom(SALT_BYTES)
        signed = me.key.sign(build(str(uuid.uuid4()), salt))
        record = {
            "statement": signed.statement.decode(),
            "signature": signed.signature.hex(),
            "salt": salt.hex(),
        }
        me.keystore.keep_record(_KIND, name, record)
        done = _sent(record, send)
    except ClientError as error:
        if error.exit_code is not Exit.BROKER_UNREACHABLE:
            me.keystore.drop_record(_KIND, name)
        raise
    me.keystore.drop_record(_KIND, name)
    return done


def _sent(record: Mapping[str, Any], send: Callable[[SignedStatement, bytes], T]) -> T:
    signed = SignedStatement(record["statement"].encode(), bytes.fromhex(record["signature"]))
    return send(signed, bytes.fromhex(record["salt"]))
