"""Explaining unusual use: an item of an auditor's list (`sluis audit unusual --json`), signed with a word for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sluis_client.canonical import canonical_json
from sluis_client.errors import ClientError, Exit
from sluis_client.participant import Participant
from sluis_client.statement_shapes import UNUSUAL_USE, check_members
from sluis_client.statements import utc
from sluis_client.transport import Receipt

_VALID = timedelta(minutes=9)
_FACTS = ("day", "first", "kind", "last", "party", "purpose")


def read_item(data: bytes, item: str) -> dict[str, Any]:
    """The facts of one item of a list.

    Raises:
        ClientError: FILE_UNREADABLE for another file; ITEM_UNKNOWN when the item is not in it, or its id is not that of
            its facts.
    """
    try:
        value = json.loads(data)
        found = [one for one in value["items"] if one["item"] == item]
        facts = {**{name: found[0][name] for name in _FACTS}, "origin": value["origin"]} if found else None
    except (ValueError, KeyError, TypeError):
        text = "this is no list of `sluis audit unusual --json`"
        raise ClientError("FILE_UNREADABLE", text, Exit.USAGE) from None
    if facts is None or item_id(facts) != item:
        text = "the list holds no item of that id with the facts it is made of; ask the auditor for the list again"
        raise ClientError("ITEM_UNKNOWN", text, Exit.USAGE)
    return facts


def item_id(facts: Mapping[str, Any]) -> str:
    """The id of an item (docs/formats.md, Unusual use)."""
    value = {**{name: facts[name] for name in (*_FACTS, "origin")}, "type": "sluis/v1/unusual-use-item"}
    return hashlib.sha256(canonical_json(value)).hexdigest()[:32]


def explain(me: Participant, facts: Mapping[str, Any], explanation: str) -> Receipt:
    """Signs and sends an explanation; returns its verified receipt.

    Raises:
        ClientError: ITEM_NOT_OURS, LOG_OTHER before anything is signed; RECEIPT_BROKEN, LOG_FORKED, LOG_SHRUNK; what
            the broker refuses.
    """
    profile = me.profile
    if facts["party"] != profile.party:
        raise ClientError("ITEM_NOT_OURS", "this item is of another party; only that party explains it", Exit.USAGE)
    if facts["origin"] != profile.origin:
        raise ClientError("LOG_OTHER", "this list is of another log than the profile's", Exit.USAGE)
    statement = {
        "type": UNUSUAL_USE,
        "origin": profile.origin,
        "environment": profile.environment,
        **{name: facts[name] for name in _FACTS},
        "item": item_id(facts),
        "explanation": explanation,
        "not_after": utc(me.now() + _VALID),
    }
    check_members(statement, UNUSUAL_USE)
    receipt = me.transport.explain_unusual_use(me.sign(statement))
    # a repeat gives the first receipt, whose statement was signed at another time
    me.own_entry(receipt, "notice", {"what": "unusual-use", "notice": statement["item"], "party": profile.party})
    return receipt
