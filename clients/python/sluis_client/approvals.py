"""Approvals of purposes, verified by the client itself (docs/formats.md section 6).

A purpose that is active was approved by an officer of its asking and by another of its answering side, each over what
the purpose means: its text, and every word of the catalogue that it draws on. All of it is computed from the signed
meaning, in which the groups that ask or answer are listed out; nothing the broker says beside it counts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature

from sluis_client.canonical import canonical_json
from sluis_client.ed25519_keys import public_key_of
from sluis_client.errors import ClientError, Exit
from sluis_client.statements import SIGNED_PREFIX

MAX_APPROVALS = 20_000
_TYPE = "sluis/v1/purpose-approval"
_TELL = "use nothing under it, and tell those who sign policies"
_NO_OFFICERS = (
    "the set names no officers who could approve it: ask those who sign policies for one that does "
    "(for trials, a profile of a test environment can say `unsafe_skip_approvals: true`)"
)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_HEX_KEY = re.compile(r"[0-9a-f]{64}")
_SHAPES = {
    "approved_on": re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}"),
    "digest": re.compile(r"[0-9a-f]{64}"),
    "officer": _NAME,
    "purpose": _NAME,
    "signature": re.compile(r"[0-9a-f]{128}"),
}


@dataclass(frozen=True, order=True)
class Approval:
    """One officer's signature (hex) over one purpose's digest; nothing in it is trusted before `demand_approvals`."""

    purpose: str
    officer: str
    digest: str
    approved_on: str
    signature: str

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        stated = {"approved_on": self.approved_on, "digest": self.digest, "officer": self.officer}
        return SIGNED_PREFIX + canonical_json({**stated, "purpose": self.purpose, "type": _TYPE})


def read_approvals(value: object) -> tuple[Approval, ...]:
    """The approvals of a bundle, their shape and order checked.

    Raises:
        ClientError: POLICY_INVALID.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_APPROVALS:
        raise _invalid("its approvals are not a list of 1 to 20,000")
    read = []
    for item in value:
        if not isinstance(item, dict) or set(item) != set(_SHAPES):
            raise _invalid("an approval has other members than approved_on, digest, officer, purpose and signature")
        if not all(isinstance(item[k], str) and shape.fullmatch(item[k]) for k, shape in _SHAPES.items()):
            raise _invalid("a member of an approval is not of its form")
        read.append(Approval(**item))
    if read != sorted(set(read)):
        raise _invalid("its approvals are not in order, or one stands there twice")
    return tuple(read)


def demand_approvals(meaning: Mapping[str, Any], approvals: Sequence[Approval]) -> None:
    """Refuses a set in which an active purpose lacks the approval of a side, or with an approval that does not count.

    Raises:
        ClientError: POLICY_UNSIGNED naming purpose and side; POLICY_INVALID when the meaning cannot be read.
    """
    try:
        _demand(meaning, approvals)
    except (KeyError, TypeError, AttributeError):
        raise _invalid("its purposes or officers are not of the layout this client knows; upgrade the client") from None


def purpose_digest(meaning: Mapping[str, Any], name: str) -> str:
    """Hex SHA-256 of what an approval of a purpose covers: its text, and each word of the catalogue it draws on."""
    catalogue, purpose = meaning["catalogue"], meaning["purposes"][name]
    asking, answering = _sides(purpose)
    attributes = purpose["may_learn"]["attributes"]
    held: dict[str, set[str]] = {party: set() for party in answering}
    for attribute in attributes:
        for party in _listed_out(catalogue, catalogue["attributes"][attribute]["holders"]) & answering:
            held[party].add(attribute)
    services = {name: catalogue["key_services"][name] for name in purpose["pseudonyms"].get("key_services", [])}
    operators = {service["operator"] for service in services.values()} - {"broker"}
    covered = {
        "purpose": purpose,
        "parties": {party: catalogue["parties"][party] for party in asking | answering | operators},
        "subject_type": catalogue["subject_types"][purpose["about"]],
        "identifiers": {scheme: catalogue["identifiers"][scheme] for scheme in purpose["identified_by"]},
        "attributes": {attribute: catalogue["attributes"][attribute] for attribute in attributes},
        "held_by": {party: sorted(names) for party, names in held.items()},
        "legal_basis": catalogue["legal_bases"][purpose["legal_basis"]],
        "dpia": catalogue.get("dpias", {}).get(purpose["dpia"]) if purpose["dpia"] else None,
        "guardrails": catalogue["guardrails"],
        **({"key_services": services} if services else {}),
    }
    return hashlib.sha256(canonical_json(covered)).hexdigest()


def _demand(meaning: Mapping[str, Any], approvals: Sequence[Approval]) -> None:
    officers = meaning.get("officers", {})
    keys = [officer["key"] for officer in officers.values()]
    if not all(isinstance(key, str) and _HEX_KEY.fullmatch(key) for key in keys) or len(set(keys)) != len(keys):
        raise _invalid("the keys of its officers are not different Ed25519 keys of 64 hex digits")
    digests: dict[str, str] = {}
    asking: dict[str, set[str]] = {}
    answering: dict[str, set[str]] = {}
    for approval in approvals:
        name, officer = approval.purpose, approval.officer
        if name in meaning["purposes"] and name not in digests:
            digests[name] = purpose_digest(meaning, name)
        why = _why_not(meaning, approval, digests.get(name, ""))
        if why:
            raise _unsigned(f"the approval of {name} by {officer} does not count: {why}")
        for_asking, for_answering = _signs_for(meaning, officer, name)
        if for_asking:
            asking.setdefault(name, set()).add(officer)
        if for_answering:
            answering.setdefault(name, set()).add(officer)
    for name, purpose in sorted(meaning["purposes"].items()):
        lacking = _lacking(asking.get(name, set()), answering.get(name, set()))
        if purpose["state"] == "active" and lacking:
            what_next = _TELL if officers else _NO_OFFICERS
            raise _unsigned(f"{name} is active and lacks the approval of {lacking}", what_next)


def _why_not(meaning: Mapping[str, Any], approval: Approval, digest: str) -> str:
    name, officer = approval.purpose, approval.officer
    known = meaning.get("officers", {}).get(officer)
    if name not in meaning["purposes"]:
        return "the set has no such purpose"
    if known is None:
        return "the set has no such officer"
    try:
        key = public_key_of(bytes.fromhex(known["key"]))
        key.verify(bytes.fromhex(approval.signature), approval.signed_bytes)
    except (InvalidSignature, ValueError):
        return "the signature is not that of this officer"
    if approval.digest != digest:
        return "the purpose, or a word of the catalogue that it draws on, has changed since"
    if meaning["purposes"][name].get("written_by") == officer:
        return "nobody approves a purpose of their own writing"
    return "" if any(_signs_for(meaning, officer, name)) else "this officer signs for no party that asks or answers"


def _lacking(asking: set[str], answering: set[str]) -> str:
    """Which side has not approved, in words; "" when two different officers did, one for each side."""
    if asking and answering:
        return "" if len(asking | answering) > 1 else "a second officer: one person cannot approve for both sides"
    if asking:
        return "its answering side"
    return "its asking side" if answering else "both its sides"


def _signs_for(meaning: Mapping[str, Any], officer: str, name: str) -> tuple[bool, bool]:
    """Whether an officer may sign for the asking and for the answering side of a purpose."""
    parties = _listed_out(meaning["catalogue"], meaning["officers"][officer]["signs_for"])
    asking, answering = _sides(meaning["purposes"][name])
    return bool(parties & asking), bool(parties & answering)


def _sides(purpose: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The parties that ask, principals among them, and those that answer."""
    return {*purpose["asks"], *(pair["principal"] for pair in purpose["on_behalf_of"])}, set(purpose["answers"])


def _listed_out(catalogue: Mapping[str, Any], names: Sequence[str]) -> set[str]:
    groups = catalogue["groups"]
    return {party for name in names for party in groups.get(name, (name,))}


def _unsigned(why: str, what_next: str = _TELL) -> ClientError:
    text = f"the policy set is refused: {why}; {what_next}"
    return ClientError("POLICY_UNSIGNED", text, Exit.VERIFICATION_FAILED)


def _invalid(why: str) -> ClientError:
    return ClientError("POLICY_INVALID", f"the policy set is refused: {why}", Exit.VERIFICATION_FAILED)
