"""The signed policy set as a client verifies it itself, and what it says of one purpose.

The broker hands out the bundle (docs/formats.md section 6); who signs, and how many must, the client knows by another
way. That both sides approved a purpose it checks itself (`approvals`). Nothing here judges a request: that is the
broker's ask gate. What the client needs is who takes part, who holds the key, how wide the attributes are, and which
row rules an answerer must have applied.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature

from sluis_client.approvals import demand_approvals, read_approvals
from sluis_client.canonical import canonical_json, parse_canonical
from sluis_client.ed25519_keys import public_key_of
from sluis_client.errors import ClientError, Exit
from sluis_client.statement_shapes import is_time
from sluis_client.statements import SIGNED_PREFIX, parse_utc

_POLICY_SET = "sluis/v1/policy-set"


@dataclass(frozen=True)
class AttributeView:
    """An attribute as the catalogue defines it. `width`: bytes of UTF-8 its sealed value is padded to."""

    name: str
    width: int
    type: str
    codes: tuple[str, ...]
    code_titles: Mapping[str, str] = field(default_factory=dict)
    """What a code is called in Dutch or English, case folded -> the code; titles of several codes are left out."""


@dataclass(frozen=True)
class ServiceView:
    """A key service of mode `oblivious`. `operator`: a party, or `broker`; `title`: by language."""

    name: str
    operator: str
    title: Mapping[str, str]


@dataclass(frozen=True)
class PurposeView:
    """One purpose as a client needs it; `asks` and `answers` hold parties, groups are listed out."""

    name: str
    state: str
    about: str
    stewards: tuple[str, ...]
    """Who may make the key: the steward, then its successors in their order."""
    mode: str
    epoch_kind: str
    """month, quarter or year."""
    overlap_days: int
    """On so many first days of an epoch the one before may still be asked under."""
    vault_keep_days: int
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    on_behalf_of: tuple[tuple[str, str], ...]
    """Pairs (processor, principal): the first may ask on behalf of the second."""
    schemes: tuple[str, ...]
    weakest_match_key: int | None
    hit: bool
    count: bool
    attributes: Mapping[str, AttributeView]
    rules: Mapping[str, bool | int | str]
    """Row rules that a register manifest must declare, by the names they have there."""
    limits: Mapping[str, int]
    case_number_required: bool
    cooperation_ref_required: bool
    answer_keep_days: int
    rows_per_scheme: Mapping[str, int]
    keys_per_scheme: Mapping[str, int]
    """How many match keys the catalogue gives each identifier scheme."""
    key_services: tuple[ServiceView, ...] = ()
    """Of mode `oblivious`, in the order of their ids."""
    public_keys: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    """Epoch to service to the 32 bytes that both sides signed."""
    standing_days: int | None = None
    """For how many days a question may stand; None: not at all."""
    answers_live: tuple[str, ...] = ()
    """Answerers that deposit no register and are asked while the asker waits."""

    @property
    def steward(self) -> str:
        """Who makes the key as long as it can."""
        return self.stewards[0]

    @property
    def participants(self) -> tuple[str, ...]:
        """Every party that may hold the purpose's key: those who ask and those who answer, sorted."""
        return tuple(sorted({*self.asks, *self.answers}))

    def rows_per_pseudonym(self, scheme: str) -> int:
        """How many records may stand under one pseudonym of `scheme`; 1 means that it is unique.

        Raises:
            ClientError: SCHEME_UNKNOWN when the purpose does not identify by `scheme`.
        """
        if scheme not in self.rows_per_scheme:
            raise ClientError("SCHEME_UNKNOWN", f"{self.name} identifies by {', '.join(self.schemes)}, not by {scheme}")
        return self.rows_per_scheme[scheme]

    def match_keys(self, scheme: str) -> int:
        """How many match keys of `scheme`, from the strictest, the purpose allows. Raises as `rows_per_pseudonym`."""
        self.rows_per_pseudonym(scheme)
        most = self.keys_per_scheme[scheme]
        return most if self.weakest_match_key is None else min(most, self.weakest_match_key)


@dataclass(frozen=True)
class PurposeAccount:
    """What a person is told of a purpose. `title`: by language; `citation`: the law it rests on."""

    title: Mapping[str, str]
    legal_basis: str
    citation: str
    vault_keep_days: int


class SignedPolicy:
    """A policy set whose signatures, digests, expiry and approvals were checked. Made by `from_bundle` only."""

    def __init__(self, manifest: Mapping[str, Any], meaning: Mapping[str, Any], *, approved: bool) -> None:
        self._catalogue: Mapping[str, Any] = meaning["catalogue"]
        self._purposes: Mapping[str, Any] = meaning["purposes"]
        self.digest: str = manifest["digest"]
        """Hex SHA-256 of the canonical meaning: what decisions name."""
        self.revision: int = manifest["revision"]
        """Grows with every set; a client refuses a lower one than it has seen."""
        self.expires = parse_utc(manifest["expires"])
        self.approved = approved
        """Whether both sides' approval of each active purpose was checked; False after `unsafe_skip_approvals`."""

    @classmethod
    def from_bundle(
        cls,
        bundle: bytes,
        signers: Sequence[str],
        quorum: int,
        now: datetime,
        lowest_revision: int = 1,
        *,
        unsafe_skip_approvals: bool = False,
    ) -> SignedPolicy:
        """Verifies a bundle: at least `quorum` of `signers` (hex Ed25519 keys) signed it, and it has not expired.

        Signatures of others are not counted; one of `signers` that does not verify refuses the whole bundle.
        `lowest_revision`: the highest revision seen so far. Each active purpose was approved by two different officers,
        one for each of its sides, and every approval in the bundle counts, unless `unsafe_skip_approvals` (trials).

        Raises:
            ClientError: POLICY_INVALID, POLICY_UNSIGNED, POLICY_EXPIRED, POLICY_REVISION_LOWER.
        """
        trusted = {signer.lower() for signer in signers}
        if not 1 <= quorum <= len(trusted):
            raise ClientError("USAGE", "the quorum must be at least 1 and at most the number of policy signers")
        value = parse_canonical(bundle)
        if set(value) | {"approvals"} != {"approvals", "manifest", "meaning", "signatures", "texts"}:
            raise _invalid("its members are not those of docs/formats.md section 6")
        approvals = read_approvals(value["approvals"]) if "approvals" in value else ()
        manifest = _check_manifest(value)
        if len(_good_signers(value["signatures"], canonical_json(manifest), trusted)) < quorum:
            text = f"the policy set is not signed by {quorum} of the signers you trust"
            raise ClientError("POLICY_UNSIGNED", text, Exit.VERIFICATION_FAILED)
        policy = cls(manifest, value["meaning"], approved=not unsafe_skip_approvals)
        if now >= policy.expires:
            text = "the policy set has expired; fetch the one in force"
            raise ClientError("POLICY_EXPIRED", text, Exit.VERIFICATION_FAILED)
        if policy.revision < lowest_revision:
            text = f"the policy set has revision {policy.revision}, and {lowest_revision} was seen before"
            raise ClientError("POLICY_REVISION_LOWER", text, Exit.VERIFICATION_FAILED)
        if not unsafe_skip_approvals:
            demand_approvals(value["meaning"], approvals)
        return policy

    def purposes(self) -> tuple[str, ...]:
        """Names of all purposes, sorted."""
        return tuple(sorted(self._purposes))

    def oin_of(self, party: str) -> str:
        """The party's own OIN. Raises PARTY_UNKNOWN."""
        return self.oins_of(party)[0]

    def oins_of(self, party: str) -> tuple[str, ...]:
        """The OINs a certificate of the party may carry: its own first, then its sub-OINs.

        Raises:
            ClientError: PARTY_UNKNOWN.
        """
        try:
            known = self._catalogue["parties"][party]
            return (str(known["oin"]), *map(str, known["sub_oins"]))
        except (KeyError, TypeError):
            raise self._unknown_party(party) from None

    def demand_parties(self, names: Iterable[str]) -> None:
        """Raises PARTY_UNKNOWN for a name that no party of the policy set has."""
        for name in names:
            if name not in self._catalogue["parties"]:
                raise self._unknown_party(name)

    def _unknown_party(self, name: str) -> ClientError:
        meant = _meant(name, self._catalogue["parties"])
        return ClientError("PARTY_UNKNOWN", f"{name} is no party of the policy set{meant}")

    def _unknown_purpose(self, name: str) -> ClientError:
        meant = _meant(name, self._purposes) or "; `sluis-client purposes list` shows yours"
        return ClientError("PURPOSE_UNKNOWN", f"{name} is no purpose of the policy set{meant}")

    def purpose(self, name: str) -> PurposeView:
        """One purpose.

        Raises:
            ClientError: PURPOSE_UNKNOWN; POLICY_INVALID when the set lacks what a purpose refers to.
        """
        if name not in self._purposes:
            raise self._unknown_purpose(name)
        try:
            return self._view(name, self._purposes[name])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _invalid(f"purpose {name} is not of the layout this client knows; upgrade the client") from None

    def account(self, name: str) -> PurposeAccount:
        """What a person is told of a purpose. Raises PURPOSE_UNKNOWN, POLICY_INVALID."""
        if name not in self._purposes:
            raise self._unknown_purpose(name)
        try:
            purpose = self._purposes[name]
            basis = purpose["legal_basis"]
            citation = self._catalogue["legal_bases"][basis]["citation"]
            return PurposeAccount(dict(purpose["title"]), str(basis), str(citation), int(purpose["vault_keep_days"]))
        except (KeyError, TypeError, ValueError):
            raise _invalid(f"purpose {name} is not of the layout this client knows; upgrade the client") from None

    def _view(self, name: str, purpose: Mapping[str, Any]) -> PurposeView:
        learn, pseudonyms = purpose["may_learn"], purpose["pseudonyms"]
        schemes = tuple(purpose["identified_by"])
        identifiers = self._catalogue["identifiers"]
        return PurposeView(
            name=name,
            state=purpose["state"],
            about=purpose["about"],
            stewards=(pseudonyms["steward"], *pseudonyms.get("successors", ())),
            mode=pseudonyms["mode"],
            epoch_kind=pseudonyms["epoch"],
            overlap_days=pseudonyms.get("overlap_days", 0),
            vault_keep_days=purpose["vault_keep_days"],
            asks=tuple(purpose["asks"]),
            answers=tuple(purpose["answers"]),
            on_behalf_of=tuple((pair["processor"], pair["principal"]) for pair in purpose["on_behalf_of"]),
            schemes=schemes,
            weakest_match_key=purpose["weakest_match_key"],
            hit=learn["hit"],
            count=learn["count"] is not None,
            attributes={attribute: self._attribute(attribute) for attribute in sorted(learn["attributes"])},
            rules=_register_rules(purpose),
            limits=dict(purpose["limits"]),
            case_number_required=purpose["case_number"] is not None,
            cooperation_ref_required=purpose["cooperation_ref"] is not None,
            answer_keep_days=purpose["answer_keep_days"],
            rows_per_scheme={scheme: identifiers[scheme]["rows_per_pseudonym"] for scheme in schemes},
            key_services=tuple(self._service(service) for service in sorted(pseudonyms.get("key_services", ()))),
            public_keys={
                epoch: {service: bytes.fromhex(key) for service, key in keys.items()}
                for epoch, keys in pseudonyms.get("public_keys", {}).items()
            },
            keys_per_scheme={scheme: identifiers[scheme]["match_keys"] for scheme in schemes},
            standing_days=(purpose.get("standing_questions") or {}).get("days"),
            answers_live=tuple(purpose.get("answers_live", ())),
        )

    def _service(self, name: str) -> ServiceView:
        known = self._catalogue["key_services"][name]
        return ServiceView(name, str(known["operator"]), dict(known["title"]))

    def _attribute(self, name: str) -> AttributeView:
        known = self._catalogue["attributes"][name]
        codes = known["codes"]
        return AttributeView(name, known["width"], known["type"], tuple(sorted(codes)), _titles(codes))


def _titles(codes: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for code, titles in codes.items():
        for title in titles.values():
            found.setdefault(title.strip().casefold(), set()).add(code)
    return {title: next(iter(owners)) for title, owners in found.items() if len(owners) == 1}


def _register_rules(purpose: Mapping[str, Any]) -> dict[str, bool | int | str]:
    """What the ask gate demands of a manifest's `rules`, by the same names."""
    rules: dict[str, bool | int | str] = {}
    if purpose["look_back"] is not None:
        rules["look_back_years"] = purpose["look_back"]["years"]
        rules["look_back_counted_from"] = purpose["look_back"]["counted_from"]
    if purpose["valid_on"] is not None:
        rules["valid_on"] = purpose["valid_on"]
    for flag in ("exclude_natural_persons", "hit_only_if_natural_person"):
        if purpose[flag]:
            rules[flag] = True
    return rules


def _check_manifest(value: Mapping[str, Any]) -> dict[str, Any]:
    manifest = value["manifest"]
    members = {"digest", "expires", "revision", "text_digest", "type"}
    if not isinstance(manifest, dict) or set(manifest) != members or manifest["type"] != _POLICY_SET:
        raise _invalid("its manifest is not one of a policy set")
    if manifest["digest"] != _digest(value["meaning"]) or manifest["text_digest"] != _digest(value["texts"]):
        raise _invalid("its contents are not those that were signed")
    meaning = value["meaning"]
    if not isinstance(meaning, dict) or not all(isinstance(meaning.get(k), dict) for k in ("catalogue", "purposes")):
        raise _invalid("its meaning lacks catalogue or purposes")
    revision = manifest["revision"]
    if not isinstance(revision, int) or isinstance(revision, bool) or revision < 1 or not is_time(manifest["expires"]):
        raise _invalid("its revision or expiry is not one")
    return manifest


def _good_signers(signatures: object, manifest: bytes, trusted: set[str]) -> set[str]:
    """Which of `trusted` signed; each counts once however often it signed."""
    if not isinstance(signatures, list):
        raise _invalid("its signatures are not a list")
    good: set[str] = set()
    for item in signatures:
        if not isinstance(item, dict) or set(item) != {"key", "role", "signature"}:
            raise _invalid("a signature has other members than key, role and signature")
        if not all(isinstance(value, str) for value in item.values()):
            raise _invalid("a signature's members are text")
        if item["key"] not in trusted:
            continue
        try:
            key = public_key_of(bytes.fromhex(item["key"]))
            key.verify(bytes.fromhex(item["signature"]), SIGNED_PREFIX + manifest)
        except (ValueError, InvalidSignature):
            raise _invalid("the signature of a signer you trust does not verify") from None
        good.add(item["key"])
    return good


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _invalid(why: str) -> ClientError:
    return ClientError("POLICY_INVALID", f"the policy set is refused: {why}", Exit.VERIFICATION_FAILED)


def _meant(name: str, known: Iterable[str]) -> str:
    """The name that may have been meant, as the end of a sentence; "" when none is like it."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
