"""The signed policy bundle (docs/formats.md section 6): built, signed by several people, verified, loaded whole."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.canonical import canonical_json, parse_canonical
from broker.ed25519_keys import public_key_of
from broker.errors import Code, SluisError
from broker.policy.approvals import MAX_APPROVALS, SIGNED_PREFIX, Approval, demand_approvals, read_approval
from broker.policy.document import PolicySet, read_policies
from broker.policy.problems import refusal

MAX_BUNDLE_BYTES = 64 * 1024 * 1024
MAX_SIGNATURES = 32
_TYPE = "sluis/v1/policy-set"
_HEX64 = re.compile(r"[0-9a-f]{64}")
_HEX128 = re.compile(r"[0-9a-f]{128}")
TEXT_NAME = re.compile(r"(?:purposes/)?[a-z][a-z0-9-]{0,62}\.yaml")
"""What a text of a set may be called."""
_TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_MANIFEST = {"digest", "expires", "revision", "text_digest", "type"}


@dataclass(frozen=True)
class BundleSignature:
    """One person's signature over the manifest. `role`: on whose behalf, such as `asking side`."""

    key: str
    role: str
    signature: str


@dataclass(frozen=True, repr=False)
class Bundle:
    """A bundle whose shape was checked; nothing in it is trusted before `load_bundle`."""

    manifest: Mapping[str, Any]
    meaning: Mapping[str, Any]
    texts: Mapping[str, str]
    signatures: tuple[BundleSignature, ...]
    approvals: tuple[Approval, ...] = ()

    @property
    def signed_bytes(self) -> bytes:
        """What each signature is over."""
        return SIGNED_PREFIX + canonical_json(self.manifest)

    def encode(self) -> bytes:
        """The canonical bytes."""
        signatures = [{"key": s.key, "role": s.role, "signature": s.signature} for s in self.signatures]
        whole = {"manifest": self.manifest, "meaning": self.meaning, "signatures": signatures, "texts": self.texts}
        if self.approvals:
            whole["approvals"] = [approval.to_object() for approval in self.approvals]
        return canonical_json(whole)


def policy_set_from_texts(texts: Mapping[str, str], *, revision: int = 0, expires: datetime | None = None) -> PolicySet:
    """The unsigned set that `texts` (`catalogue.yaml`, `purposes/<name>.yaml`) mean: for drafts and the demo.

    Raises:
        SluisError: POLICY_INVALID with every problem as a violation at its file:line.
    """
    policies, problems = read_policies(texts, revision=revision, expires=expires)
    if policies is None:
        raise refusal(problems)
    return policies


def build_bundle(
    texts: Mapping[str, str], *, revision: int, expires: datetime, approvals: Iterable[Approval] = ()
) -> bytes:
    """An unsigned bundle of `texts` with the approvals of its purposes. `expires` is cut to whole seconds.

    Raises:
        SluisError: POLICY_INVALID.
    """
    if expires.tzinfo is None:
        raise SluisError(Code.POLICY_INVALID, "an expiry without a time zone is no moment")
    if revision < 1:
        raise SluisError(Code.POLICY_INVALID, "a revision is 1 or higher, and higher than the one before")
    policies = policy_set_from_texts(texts, revision=revision, expires=expires)
    manifest = {
        "digest": policies.digest,
        "expires": expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revision": revision,
        "text_digest": policies.text_digest,
        "type": _TYPE,
    }
    return Bundle(manifest, policies.meaning, dict(policies.texts), (), tuple(sorted(approvals))).encode()


def read_bundle(data: bytes) -> Bundle:
    """The parts of a bundle, its shape checked and nothing trusted. Raises POLICY_INVALID."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise SluisError(Code.POLICY_INVALID, f"a policy bundle has at most {MAX_BUNDLE_BYTES} bytes")
    try:
        whole = parse_canonical(data)
    except SluisError as error:
        raise SluisError(Code.POLICY_INVALID, "not a policy bundle: it is not canonical JSON") from error
    _demand(set(whole) | {"approvals"} == {"approvals", "manifest", "meaning", "signatures", "texts"}, "its members")
    manifest, texts, meaning, signatures = (whole[k] for k in ("manifest", "texts", "meaning", "signatures"))
    _demand(isinstance(manifest, dict) and set(manifest) == _MANIFEST and manifest["type"] == _TYPE, "its manifest")
    _demand(all(_hex(manifest[name]) for name in ("digest", "text_digest")), "a digest of its manifest")
    _demand(isinstance(manifest["revision"], int) and manifest["revision"] >= 1, "its revision")
    _demand(not isinstance(manifest["revision"], bool), "its revision")
    _demand(_is_moment(manifest["expires"]), "its expiry")
    _demand(isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values()), "its texts")
    _demand(all(TEXT_NAME.fullmatch(name) for name in texts), "the name of a text")
    _demand(isinstance(meaning, dict), "its meaning")
    _demand(isinstance(signatures, list) and len(signatures) <= MAX_SIGNATURES, "its signatures")
    approvals = whole.get("approvals", [])
    _demand(isinstance(approvals, list) and len(approvals) <= MAX_APPROVALS, "its approvals")
    _demand("approvals" not in whole or approvals, "its approvals")
    read = tuple(read_approval(entry) for entry in approvals)
    _demand(list(read) == sorted(set(read)), "its approvals")
    return Bundle(manifest, meaning, texts, tuple(_signature(entry) for entry in signatures), read)


def sign_bundle(data: bytes, key: Ed25519PrivateKey, role: str) -> bytes:
    """The bundle with one more signature; a second one by the same key replaces the first. Raises POLICY_INVALID."""
    bundle = read_bundle(data)
    _check_meaning(bundle)
    if not role.strip() or not role.isprintable() or len(role) > 100:
        raise SluisError(Code.POLICY_INVALID, "say in 1 to 100 characters in which role you sign")
    public = key.public_key().public_bytes_raw().hex()
    kept = tuple(signature for signature in bundle.signatures if signature.key != public)
    added = BundleSignature(public, role, key.sign(bundle.signed_bytes).hex())
    return replace(bundle, signatures=(*kept, added)).encode()


def load_bundle(
    data: bytes,
    *,
    signers: Collection[str],
    quorum: int,
    now: datetime,
    lowest_revision: int = 1,
    unsafe_skip_approvals: bool = False,
) -> PolicySet:
    """The policy set of a bundle signed by at least `quorum` distinct keys of `signers` (hex Ed25519 public keys).

    Every signature in the bundle must verify, those of unknown keys included: a bundle is whole or it is refused.
    Each active purpose must have the approval of both its sides, unless `unsafe_skip_approvals` (tests and trials).

    Raises:
        SluisError: POLICY_INVALID (shape, texts, or a meaning that is not that of the texts), POLICY_UNSIGNED (quorum
            or approvals), POLICY_EXPIRED, POLICY_REVISION_LOWER when the revision is under `lowest_revision`.
    """
    bundle = read_bundle(data)
    signed = _check_signatures(bundle, signers, quorum)
    expires = datetime.fromisoformat(bundle.manifest["expires"])
    if now >= expires:
        raise SluisError(Code.POLICY_EXPIRED, f"the policy set expired at {expires:%Y-%m-%d %H:%M} UTC; sign a new one")
    if bundle.manifest["revision"] < lowest_revision:
        raise SluisError(
            Code.POLICY_REVISION_LOWER,
            f"revision {bundle.manifest['revision']} is lower than {lowest_revision}; to roll back, sign the old "
            "texts under a new, higher revision",
        )
    policies = _check_meaning(bundle, signed)
    if not unsafe_skip_approvals:
        demand_approvals(policies, bundle.approvals)
    return policies


def _check_signatures(bundle: Bundle, signers: Collection[str], quorum: int) -> tuple[str, ...]:
    known = {signer.lower() for signer in signers}
    if quorum < 1 or len(known) < quorum:
        raise SluisError(
            Code.POLICY_UNSIGNED,
            f"a quorum of {quorum} cannot be met by {len(known)} known keys; give the key of each signer",
        )
    valid = set()
    for entry in bundle.signatures:
        try:
            public_key_of(bytes.fromhex(entry.key)).verify(bytes.fromhex(entry.signature), bundle.signed_bytes)
        except (InvalidSignature, ValueError) as error:
            raise SluisError(
                Code.POLICY_UNSIGNED, f"the signature of key {entry.key[:16]}... is wrong; the bundle was changed"
            ) from error
        if entry.key in known:
            valid.add(entry.key)
    if len(valid) < quorum:
        others = len(bundle.signatures) - len(valid)
        besides = f", and {others} by keys that are not known here" if others else ""
        raise SluisError(
            Code.POLICY_UNSIGNED, f"{len(valid)} of the {quorum} signatures needed{besides}; let more people sign"
        )
    return tuple(sorted(valid))


def _check_meaning(bundle: Bundle, signers: tuple[str, ...] = ()) -> PolicySet:
    expires = datetime.fromisoformat(bundle.manifest["expires"])
    policies, problems = read_policies(
        bundle.texts, revision=bundle.manifest["revision"], expires=expires, signers=signers
    )
    if policies is None:
        raise refusal(problems)
    same = canonical_json(policies.meaning) == canonical_json(bundle.meaning)
    named = (policies.digest, policies.text_digest) == (bundle.manifest["digest"], bundle.manifest["text_digest"])
    if not same or not named:
        raise SluisError(
            Code.POLICY_INVALID, "the bundle's meaning or digests are not those of its texts; build it again"
        )
    return policies


def _signature(entry: object) -> BundleSignature:
    _demand(isinstance(entry, dict) and set(entry) == {"key", "role", "signature"}, "a signature")
    assert isinstance(entry, dict)
    _demand(all(isinstance(value, str) for value in entry.values()), "a signature")
    _demand(_hex(entry["key"]) and _HEX128.fullmatch(entry["signature"]) is not None, "a signature")
    return BundleSignature(entry["key"], entry["role"], entry["signature"])


def _is_moment(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _hex(value: object) -> bool:
    return isinstance(value, str) and _HEX64.fullmatch(value) is not None


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise SluisError(Code.POLICY_INVALID, f"not a policy bundle: {what} is not as docs/formats.md section 6 says")
