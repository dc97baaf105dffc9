"""Approvals: an active purpose is signed by its asking and by its answering side, each over what the purpose means.

An approval is detached, so a purpose's file never holds its own. It is over one purpose and the vocabulary that the
purpose draws on: any change of meaning ends it, a comment or an unrelated purpose does not. Whoever wrote a purpose
(`written_by`) cannot approve it. Pure: keys and days are passed in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.canonical import canonical_json, parse_canonical
from broker.ed25519_keys import public_key_of
from broker.errors import Code, SluisError
from broker.policy.document import PolicySet
from broker.policy.key_services import BROKER
from broker.policy.problems import did_you_mean

SIGNED_PREFIX = b"sluis/v1/signed\n"
MAX_APPROVALS = 20_000
_TYPE = "sluis/v1/purpose-approval"
_MEMBERS = {"approved_on", "digest", "officer", "purpose", "signature"}
_SHAPES = {
    "approved_on": re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}"),
    "digest": re.compile(r"[0-9a-f]{64}"),
    "officer": re.compile(r"[a-z][a-z0-9-]{0,62}"),
    "purpose": re.compile(r"[a-z][a-z0-9-]{0,62}"),
    "signature": re.compile(r"[0-9a-f]{128}"),
}


@dataclass(frozen=True, order=True)
class Approval:
    """One officer's signature (hex) over one purpose's digest. `approved_on`: the day, by the officer's account."""

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

    def to_object(self) -> dict[str, str]:
        """As it stands in a bundle and, in canonical form, in a file of its own."""
        return {name: getattr(self, name) for name in sorted(_MEMBERS)}


@dataclass(frozen=True)
class Sides:
    """Officers whose approval of a purpose counts, by the side for which they may sign; one may stand in both."""

    asking: frozenset[str] = frozenset()
    answering: frozenset[str] = frozenset()

    @property
    def complete(self) -> bool:
        """Whether two different officers approved, one for each side."""
        return bool(self.asking and self.answering) and len(self.asking | self.answering) > 1

    @property
    def lacking(self) -> str:
        """Which side has not approved, in words; "" when both have."""
        if self.complete:
            return ""
        if self.asking and self.answering:
            return "a second officer: one person cannot approve for both sides"
        if self.asking:
            return "its answering side"
        return "its asking side" if self.answering else "both its sides"


def purpose_meaning(policies: PolicySet, name: str) -> dict[str, Any]:
    """What an approval of a purpose covers: the purpose, and every word of the catalogue that it draws on."""
    purpose = policies.purposes[name]
    catalogue: Mapping[str, Any] = policies.meaning["catalogue"]
    parties = {*purpose.asks, *purpose.answers, *(pair.principal for pair in purpose.on_behalf_of)}
    dpias: Mapping[str, Any] = catalogue.get("dpias", {})
    services = {word: catalogue["key_services"][word] for word in purpose.pseudonyms.key_services}
    parties |= {service["operator"] for service in services.values()} - {BROKER}
    covered = {
        "purpose": policies.meaning["purposes"][name],
        "parties": {party: catalogue["parties"][party] for party in parties},
        "subject_type": catalogue["subject_types"][purpose.about],
        "identifiers": {word: catalogue["identifiers"][word] for word in purpose.identified_by},
        "attributes": {word: catalogue["attributes"][word] for word in purpose.may_learn.attributes},
        "held_by": {word: sorted(held) for word, held in policies.terms[name].held.items()},
        "legal_basis": catalogue["legal_bases"][purpose.legal_basis],
        "dpia": dpias.get(purpose.dpia) if purpose.dpia else None,
        "guardrails": catalogue["guardrails"],
    }
    return covered | ({"key_services": services} if services else {})


def purpose_digest(policies: PolicySet, name: str) -> str:
    """Hex SHA-256 of the canonical `purpose_meaning`."""
    return hashlib.sha256(canonical_json(purpose_meaning(policies, name))).hexdigest()


def approve(policies: PolicySet, purpose: str, officer: str, key: Ed25519PrivateKey, on: date) -> Approval:
    """The approval of `purpose` by `officer` with its key.

    Raises:
        SluisError: POLICY_INVALID when the words are unknown; POLICY_UNSIGNED when this approval would not count,
            saying why.
    """
    if purpose not in policies.purposes:
        raise SluisError(
            Code.POLICY_INVALID, f"'{purpose}' is no purpose of this set; {did_you_mean(purpose, policies.purposes)}"
        )
    known = policies.officers.get(officer)
    if known is None:
        hint = did_you_mean(officer, policies.officers)
        raise SluisError(Code.POLICY_INVALID, f"'{officer}' is no officer of officers.yaml; {hint}")
    if key.public_key().public_bytes_raw().hex() != known.key:
        raise SluisError(Code.POLICY_UNSIGNED, f"this is not the key that officers.yaml has for {officer}")
    if policies.purposes[purpose].written_by == officer:
        raise SluisError(
            Code.POLICY_UNSIGNED, f"{officer} wrote {purpose}, and nobody approves their own text; ask a colleague"
        )
    if not any(sides_of(policies, purpose, officer)):
        raise SluisError(Code.POLICY_UNSIGNED, f"{officer} signs for no party that asks or answers under {purpose}")
    unsigned = Approval(purpose, officer, purpose_digest(policies, purpose), on.isoformat(), "")
    signature = key.sign(unsigned.signed_bytes).hex()
    return Approval(purpose, officer, unsigned.digest, unsigned.approved_on, signature)


def read_approval(value: object) -> Approval:
    """An approval from its object; nothing in it is trusted yet. Raises POLICY_INVALID."""
    if isinstance(value, dict) and set(value) == _MEMBERS:
        shapes = _SHAPES.items()
        if all(isinstance(value[key], str) and shape.fullmatch(value[key]) for key, shape in shapes):
            return Approval(**value)
    raise SluisError(Code.POLICY_INVALID, "not an approval as docs/formats.md section 6 says; sign the purpose again")


def parse_approval(data: bytes) -> Approval:
    """An approval from the bytes of its file. Raises POLICY_INVALID."""
    try:
        return read_approval(parse_canonical(data.rstrip(b"\n")))
    except SluisError as error:
        raise SluisError(
            Code.POLICY_INVALID, "not an approval as docs/formats.md section 6 says; sign the purpose again"
        ) from error


def why_not(policies: PolicySet, approval: Approval) -> str:
    """Why an approval does not count under this set; "" when it does."""
    name, officer = approval.purpose, approval.officer
    known = policies.officers.get(officer)
    if name not in policies.purposes:
        return f"there is no purpose {name}"
    if known is None:
        return f"{officer} is no officer"
    try:
        public_key_of(bytes.fromhex(known.key)).verify(bytes.fromhex(approval.signature), approval.signed_bytes)
    except (InvalidSignature, ValueError):
        return f"the signature is not that of {officer}"
    if approval.digest != purpose_digest(policies, name):
        return f"{name} has changed since {officer} approved it"
    if policies.purposes[name].written_by == officer:
        return f"{officer} wrote {name}"
    return "" if any(sides_of(policies, name, officer)) else f"{officer} signs for no party of {name}"


def standing(policies: PolicySet, approvals: Iterable[Approval]) -> dict[str, Sides]:
    """Per purpose, the officers whose approval counts. An approval that does not count is as good as none."""
    return _count(policies, [approval for approval in approvals if not why_not(policies, approval)])


def _count(policies: PolicySet, checked: Iterable[Approval]) -> dict[str, Sides]:
    found: dict[str, Sides] = {name: Sides() for name in policies.purposes}
    for approval in checked:
        asking, answering = sides_of(policies, approval.purpose, approval.officer)
        sides, officer = found[approval.purpose], frozenset({approval.officer})
        found[approval.purpose] = Sides(
            sides.asking | (officer if asking else frozenset()),
            sides.answering | (officer if answering else frozenset()),
        )
    return found


def demand_approvals(policies: PolicySet, approvals: Iterable[Approval]) -> None:
    """Refuses a set in which an active purpose lacks the approval of a side, or with an approval that does not count.

    Raises:
        SluisError: POLICY_UNSIGNED, naming purpose and side.
    """
    listed = tuple(approvals)
    for approval in listed:
        why = why_not(policies, approval)
        if why:
            raise SluisError(
                Code.POLICY_UNSIGNED,
                f"the approval of {approval.purpose} by {approval.officer} does not count: {why}; sign it again",
            )
    sides = _count(policies, listed)
    for name, purpose in sorted(policies.purposes.items()):
        if purpose.state == "active" and not sides[name].complete:
            raise SluisError(
                Code.POLICY_UNSIGNED,
                f"{name} is active and lacks the approval of {sides[name].lacking}; let an officer run "
                f"`sluis policy sign` for it, or keep it a draft",
            )


def sides_of(policies: PolicySet, purpose: str, officer: str) -> tuple[bool, bool]:
    """Whether an officer may sign for the asking and for the answering side."""
    known, text = policies.officers[officer], policies.purposes[purpose]
    parties = policies.catalogue.parties_of(known.signs_for)
    asking = {*text.asks, *(pair.principal for pair in text.on_behalf_of)}
    return bool(parties & asking), bool(parties & set(text.answers))
