"""Whose cosignatures an auditor trusts: the members of the trust file about witnesses (docs/formats.md section 8)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from broker.audit.tree import NoteError, decode
from broker.ed25519_keys import public_key_of

MEMBERS = frozenset({"witnesses", "witness_quorum", "witness_grace_minutes", "witness_from"})
GRACE_MINUTES = 15
COSIGNATURE_TYPE = 4
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")

WitnessKeys = Mapping[tuple[str, bytes], bytes]
"""(name, key hash) -> Ed25519 public key."""


@dataclass(frozen=True)
class WitnessRule:
    """`quorum` of the witnesses must have cosigned a checkpoint for it to count."""

    keys: WitnessKeys
    texts: tuple[str, ...]
    quorum: int
    grace: timedelta
    """How long entries may stand without a quorum before an ask is a fault."""
    since: int
    """The first entry that the grace is asked of: where witnessing began."""

    @property
    def meaning(self) -> dict[str, object]:
        """What goes into the trust file's fingerprint."""
        return {
            "witnesses": sorted(self.texts),
            "witness_quorum": self.quorum,
            "witness_grace_minutes": self.grace // timedelta(minutes=1),
            "witness_from": self.since,
        }


def read_rule(value: Mapping[str, Any]) -> WitnessRule | None:
    """The rule in a trust file's members; None when there is none. Raises ValueError telling what to change."""
    if not value.keys() & MEMBERS:
        return None
    if not {"witnesses", "witness_quorum"} <= value.keys():
        raise ValueError("witnesses and witness_quorum come together")
    listed = value["witnesses"]
    if not isinstance(listed, list) or not listed or not all(isinstance(item, str) for item in listed):
        raise ValueError("witnesses is a list of verifier keys")
    texts = tuple(str(item) for item in listed)
    keys = dict(map(parse_witness_key, texts))
    if len(set(keys.values())) != len(texts):
        raise ValueError("witnesses names a key twice; one witness counts once")
    quorum = number_of(value, "witness_quorum", 0)
    if not 1 <= quorum <= len(texts):
        raise ValueError("witness_quorum is at least 1, and at most the number of witnesses")
    grace = number_of(value, "witness_grace_minutes", GRACE_MINUTES)
    if grace > 1440:
        raise ValueError("witness_grace_minutes is at most 1440")
    return WitnessRule(keys, texts, quorum, timedelta(minutes=grace), number_of(value, "witness_from", 0))


def parse_witness_key(text: str) -> tuple[tuple[str, bytes], bytes]:
    """A C2SP verifier key of type 0x04 as an item of WitnessKeys. Raises ValueError."""
    name, _, rest = text.partition("+")
    hash_text, _, key_text = rest.partition("+")
    try:
        key = decode(key_text)
        public_key_of(key[1:])
    except (NoteError, ValueError):
        raise ValueError("witnesses holds what is no verifier key of type 4") from None
    if not name or any(c <= " " or c == "+" or c > "~" for c in name) or len(key) != 33 or key[0] != COSIGNATURE_TYPE:
        raise ValueError("witnesses holds what is no verifier key of type 4")
    key_hash = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if hash_text != key_hash.hex():
        raise ValueError("witnesses holds a verifier key whose hash does not fit")
    return (name, key_hash), key[1:]


def number_of(value: Mapping[str, Any], member: str, default: int) -> int:
    """A whole number of a trust file. Raises ValueError."""
    text = value.get(member)
    if text is None:
        return default
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise ValueError(f"{member} is a whole number")
    return int(text)
