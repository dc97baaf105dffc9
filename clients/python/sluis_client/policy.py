"""The signed policy set as a client verifies it itself, and what it says of one purpose.

The broker hands out the bundle (docs/formats.md section 6); who signs, and how many must, the client knows by another
way. Nothing here judges a request: that is the broker's ask gate. What the client needs is who takes part, who holds
the key, how wide the attributes are, and which row rules an answerer must have applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sluis_client.canonical import canonical_json, parse_canonical
from sluis_client.errors import ClientError, Exit
from sluis_client.statements import SIGNED_PREFIX, parse_utc

_POLICY_SET = "sluis/v1/policy-set"


@dataclass(frozen=True)
class AttributeView:
    """An attribute as the catalogue defines it. `width`: bytes of UTF-8 its sealed value is padded to."""

    name: str
    width: int
    type: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class PurposeView:
    """One purpose as a client needs it; groups are already listed out."""

    name: str
    state: str
    about: str
    steward: str
    mode: str
    epoch_kind: str
    """month, quarter or year."""
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    processors: tuple[tuple[str, str], ...]
    """Pairs (processor, principal): the first may ask on behalf of the second."""
    schemes: tuple[str, ...]
    hit: bool
    count: bool
    attributes: Mapping[str, AttributeView]
    rules: Mapping[str, bool | int | str]
    """Row rules that a register manifest must declare."""
    limits: Mapping[str, int]
    rows_per_scheme: Mapping[str, int]

    @property
    def participants(self) -> tuple[str, ...]:
        """Every party that may hold the purpose's key: askers, answerers, processors and the steward; sorted."""
        processors = [processor for processor, _ in self.processors]
        return tuple(sorted({*self.asks, *self.answers, *processors, self.steward}))

    def rows_per_pseudonym(self, scheme: str) -> int:
        """How many records may stand under one pseudonym of `scheme`; 1 means that it is unique.

        Raises:
            ClientError: SCHEME_UNKNOWN when the purpose does not identify by `scheme`.
        """
        if scheme not in self.rows_per_scheme:
            raise ClientError("SCHEME_UNKNOWN", f"{self.name} identifies by {', '.join(self.schemes)}, not by {scheme}")
        return self.rows_per_scheme[scheme]


class SignedPolicy:
    """A policy set whose signatures, digests and expiry were checked. Made by `from_bundle` only."""

    def __init__(self, manifest: Mapping[str, Any], meaning: Mapping[str, Any]) -> None:
        self._catalogue: Mapping[str, Any] = meaning["catalogue"]
        self._purposes: Mapping[str, Any] = meaning["purposes"]
        self.digest: str = manifest["digest"]
        """Hex SHA-256 of the canonical meaning: what decisions name."""
        self.revision: int = manifest["revision"]
        """Grows with every set; a client refuses a lower one than it has seen."""
        self.expires = parse_utc(manifest["expires"])

    @classmethod
    def from_bundle(cls, bundle: bytes, signers: Sequence[str], quorum: int, now: datetime) -> SignedPolicy:
        """Verifies a bundle: at least `quorum` of `signers` (hex Ed25519 keys) signed it, and it has not expired.

        Signatures of others are not counted; one of `signers` that does not verify refuses the whole bundle.

        Raises:
            ClientError: POLICY_INVALID, POLICY_UNSIGNED, POLICY_EXPIRED.
        """
        if not 1 <= quorum <= len(set(signers)):
            raise ClientError("USAGE", "the quorum must be at least 1 and at most the number of policy signers")
        value = parse_canonical(bundle)
        if set(value) != {"manifest", "meaning", "signatures", "texts"}:
            raise _invalid("its members are not those of docs/formats.md section 6")
        manifest = _check_manifest(value)
        if len(_good_signers(value["signatures"], canonical_json(manifest), set(signers))) < quorum:
            text = f"the policy set is not signed by {quorum} of the signers you trust"
            raise ClientError("POLICY_UNSIGNED", text, Exit.VERIFICATION_FAILED)
        policy = cls(manifest, value["meaning"])
        if now >= policy.expires:
            text = "the policy set has expired; fetch the one in force"
            raise ClientError("POLICY_EXPIRED", text, Exit.VERIFICATION_FAILED)
        return policy

    def purposes(self) -> tuple[str, ...]:
        """Names of all purposes, sorted."""
        return tuple(sorted(self._purposes))

    def oin_of(self, party: str) -> str:
        """The party's OIN as the catalogue has it.

        Raises:
            ClientError: PARTY_UNKNOWN.
        """
        try:
            return str(self._catalogue["parties"][party]["oin"])
        except KeyError:
            raise ClientError("PARTY_UNKNOWN", f"{party} is no party of the policy set") from None

    def purpose(self, name: str) -> PurposeView:
        """One purpose.

        Raises:
            ClientError: PURPOSE_UNKNOWN; POLICY_INVALID when the set lacks what a purpose refers to.
        """
        if name not in self._purposes:
            raise ClientError("PURPOSE_UNKNOWN", f"{name} is no purpose of the policy set")
        try:
            return self._view(name, self._purposes[name])
        except (KeyError, TypeError, AttributeError):
            raise _invalid(f"purpose {name} is not of the layout this client knows; upgrade the client") from None

    def _view(self, name: str, purpose: Mapping[str, Any]) -> PurposeView:
        learn = purpose["may_learn"]
        known = self._catalogue["attributes"]
        schemes = tuple(purpose["identified_by"])
        return PurposeView(
            name=name,
            state=purpose["state"],
            about=purpose["about"],
            steward=purpose["pseudonyms"]["steward"],
            mode=purpose["pseudonyms"]["mode"],
            epoch_kind=purpose["pseudonyms"]["epoch"],
            asks=self._listed_out(purpose["asks"]),
            answers=self._listed_out(purpose["answers"]),
            processors=tuple((pair["processor"], pair["principal"]) for pair in purpose.get("on_behalf_of") or ()),
            schemes=schemes,
            hit=bool(learn["hit"]),
            count=bool(learn.get("count")),
            attributes={
                attribute: AttributeView(
                    name=attribute,
                    width=int(known[attribute]["width"]),
                    type=known[attribute]["type"],
                    codes=tuple(known[attribute].get("codes") or ()),
                )
                for attribute in sorted(learn.get("attributes") or ())
            },
            rules=dict(purpose.get("rules") or {}),
            limits=dict(purpose.get("limits") or {}),
            rows_per_scheme={
                scheme: int(self._catalogue["identifiers"][scheme].get("rows_per_pseudonym", 1)) for scheme in schemes
            },
        )

    def _listed_out(self, names: Sequence[str]) -> tuple[str, ...]:
        groups = self._catalogue.get("groups") or {}
        parties: set[str] = set()
        for name in names:
            parties.update(groups.get(name, (name,)))
        return tuple(sorted(parties))


def _check_manifest(value: Mapping[str, Any]) -> dict[str, Any]:
    manifest = value["manifest"]
    members = {"digest", "expires", "revision", "text_digest", "type"}
    if not isinstance(manifest, dict) or set(manifest) != members or manifest["type"] != _POLICY_SET:
        raise _invalid("its manifest is not one of a policy set")
    if manifest["digest"] != _digest(value["meaning"]) or manifest["text_digest"] != _digest(value["texts"]):
        raise _invalid("its contents are not those that were signed")
    meaning = value["meaning"]
    if not isinstance(meaning, dict) or not {"catalogue", "purposes"} <= set(meaning):
        raise _invalid("its meaning lacks catalogue or purposes")
    if not isinstance(manifest["revision"], int) or isinstance(manifest["revision"], bool):
        raise _invalid("its revision is not a number")
    return manifest


def _good_signers(signatures: object, manifest: bytes, trusted: set[str]) -> set[str]:
    """Which of `trusted` signed; each counts once however often it signed."""
    if not isinstance(signatures, list):
        raise _invalid("its signatures are not a list")
    good: set[str] = set()
    for item in signatures:
        if not isinstance(item, dict) or set(item) != {"key", "role", "signature"}:
            raise _invalid("a signature has other members than key, role and signature")
        if item["key"] not in trusted:
            continue
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(item["key"]))
            key.verify(bytes.fromhex(item["signature"]), SIGNED_PREFIX + manifest)
        except (ValueError, TypeError, InvalidSignature):
            raise _invalid("the signature of a signer you trust does not verify") from None
        good.add(item["key"])
    return good


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _invalid(why: str) -> ClientError:
    return ClientError("POLICY_INVALID", f"the policy set is refused: {why}", Exit.VERIFICATION_FAILED)
