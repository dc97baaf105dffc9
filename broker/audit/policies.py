"""The archived policy sets: their digests recomputed, their signatures checked, and which were in force when."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature

from broker.audit import strict_json
from broker.audit.entries import GRACE, EntryError, LogEntry, has_shape, read_time
from broker.audit.findings import Code, Findings
from broker.audit.trust import Trust
from broker.ed25519_keys import public_key_of
from broker.errors import SluisError
from broker.policy.approvals import Approval, demand_approvals, read_approval
from broker.policy.document import PolicySet, read_policies

_PREFIX = b"sluis/v1/signed\n"
_MANIFEST = {"digest": "hex", "expires": "time", "revision": "number", "text_digest": "hex", "type": "text"}


_Oins = Mapping[str, frozenset[str]]
"""Party -> its OIN and sub-OINs."""


@dataclass(frozen=True)
class Archived:
    """A policy set of the bundle: its texts, and the keys whose signatures over it are right."""

    digest: str
    text_digest: str
    revision: int
    expires: datetime
    texts: Mapping[str, str]
    signers: frozenset[str]
    roles: Mapping[str, str]
    """Signer's key -> the role it signed in, by its own account."""
    oins: _Oins
    approvals: tuple[Approval, ...]

    @cached_property
    def policy_set(self) -> PolicySet | None:
        """The set that the texts mean; None when they cannot be read, or mean something else than was signed."""
        signers = tuple(sorted(self.signers))
        read, _ = read_policies(self.texts, revision=self.revision, expires=self.expires, signers=signers)
        return read if read is not None and read.digest == self.digest else None


class Policies:
    """The archive, and what the log put in force of it."""

    def __init__(self, trust: Trust, findings: Findings) -> None:
        self._trust = trust
        self._findings = findings
        self._archive: dict[str, list[Archived]] = {}
        self._in_force: dict[str, Archived | None] = {}
        self._current: tuple[str, int, str, datetime | None] | None = None
        """Digest, revision, digest of the texts and expiry of the set in force."""
        self._before: tuple[str, datetime] | None = None
        """The set before the current one, and when it was replaced."""
        self._oins: tuple[_Oins | None, _Oins | None, datetime | None] = ({}, {}, None)
        """OINs in the set in force and in the one before, and since when; None for a set that is missing."""

    def archive(self, bundle: object, line: int) -> None:
        """One archived set of the bundle."""
        archived = read_archived(bundle)
        if archived is None:
            self._findings.add(Code.POLICY_ARCHIVE, line=line)
            return
        self._archive.setdefault(archived.digest, []).append(archived)

    def put_in_force(self, entry: LogEntry) -> None:
        """A `policy` entry."""
        body = entry.body
        expires = None if body["expires"] is None else read_time(body["expires"])
        found = None
        for archived in self._archive.get(body["digest"], []):
            stated = (archived.text_digest, archived.revision, archived.expires)
            if stated == (body["text_digest"], body["revision"], expires):
                found = archived
        self._in_force[body["digest"]] = found
        stated_now = (body["digest"], body["revision"], body["text_digest"], expires)
        if self._current is not None and stated_now != self._current:
            if body["revision"] <= self._current[1]:
                self._findings.add(Code.POLICY_UNKNOWN, index=entry.index)
            if body["digest"] != self._current[0]:
                self._before = (self._current[0], entry.at)
        self._current = stated_now
        self._oins = (found.oins if found else None, self._oins[0], entry.at)
        if expires is not None and expires <= entry.at - GRACE:
            self._findings.add(Code.POLICY_EXPIRED, index=entry.index)
        if body["engine"] not in self._trust.engines:
            self._findings.add(Code.ENGINE_UNTRUSTED, index=entry.index)
        if found is None:
            self._findings.add(Code.POLICY_MISSING, index=entry.index)
            return
        good = found.signers & self._trust.policy_signers
        if len(good) < self._trust.policy_quorum or not set(body["signers"]) <= found.signers:
            self._findings.add(Code.POLICY_SIGNATURES, index=entry.index)
        if found.policy_set is None:
            self._findings.add(Code.POLICY_TEXT, index=entry.index)
        self._check_approvals(found, entry)

    def _check_approvals(self, found: Archived, entry: LogEntry) -> None:
        if not self._trust.policy_approvals:
            return
        try:
            policies = found.policy_set
            if policies is not None:
                demand_approvals(policies, found.approvals)
        except SluisError as error:
            self._findings.add(Code.POLICY_APPROVALS, error.message, index=entry.index)

    @property
    def current(self) -> PolicySet | None:
        """The set in force at this place in the log; None when there is none that can be read."""
        archived = self._in_force.get(self._current[0]) if self._current else None
        return archived.policy_set if archived else None

    @property
    def begun(self) -> bool:
        """Whether the log has put a set in force, be it one that cannot be read."""
        return self._current is not None

    def around(self, at: datetime) -> tuple[PolicySet | None, ...]:
        """The sets that a call logged at `at` may have been taken under: in force, or replaced at most 60 seconds ago.

        None for one that is missing.
        """
        before = self._before[0] if self._before is not None and at <= self._before[1] + GRACE else None
        named = (self._current[0] if self._current else None, before)
        found = [self._in_force.get(digest) for digest in named if digest is not None]
        return tuple(archived.policy_set if archived else None for archived in found)

    def has_oin(self, party: str, oin: str) -> bool:
        """Whether the set in force gives a party this OIN. True where the set itself is missing: that is said once."""
        now = self._oins[0]
        return now is None or oin in now.get(party, frozenset())

    def oin_dropped(self, party: str, oin: str, at: datetime) -> bool:
        """Whether the set in force no longer gives a party this OIN: a call in flight was let in under the one before.

        `party` entries are judged when they are logged.
        """
        _, before, since = self._oins
        if self.has_oin(party, oin) or since is None:
            return False
        return at > since + GRACE or (before is not None and oin not in before.get(party, frozenset()))

    def decided_under(self, entry: LogEntry) -> Archived | None:
        """The set that an `ask` names, None (with a finding) unless it is in force, or was until 60 seconds ago."""
        digest = entry.body["policy_set"]
        current = self._current is not None and digest == self._current[0]
        just_before = self._before is not None and digest == self._before[0] and entry.at <= self._before[1] + GRACE
        if not (current or just_before):
            self._findings.add(Code.POLICY_UNKNOWN, index=entry.index)
            return None
        return self._in_force[digest]


def read_archived(bundle: object) -> Archived | None:
    """A policy set from its bundle's object; None unless its digests are those of what it holds."""
    members = {"approvals", "manifest", "meaning", "signatures", "texts"}
    if not isinstance(bundle, dict) or set(bundle) | {"approvals"} != members:
        return None
    manifest, meaning, texts, signatures = (bundle[k] for k in ("manifest", "meaning", "texts", "signatures"))
    if not isinstance(manifest, dict) or manifest.keys() != _MANIFEST.keys():
        return None
    if not all(has_shape(manifest[name], shape) for name, shape in _MANIFEST.items()):
        return None
    good_texts = isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())
    if not isinstance(meaning, dict) or not good_texts or not isinstance(signatures, list):
        return None
    digests = (_digest(meaning), _digest(texts), "sluis/v1/policy-set")
    if digests != (manifest["digest"], manifest["text_digest"], manifest["type"]):
        return None
    message = _PREFIX + strict_json.write(manifest)
    approvals = bundle.get("approvals", [])
    try:
        expires = read_time(manifest["expires"])
        read = tuple(read_approval(approval) for approval in approvals) if isinstance(approvals, list) else None
    except (EntryError, SluisError):
        return None
    if read is None:
        return None
    signers = {key: role for key, role in (_signer(signature, message) for signature in signatures) if key}
    return Archived(
        digest=manifest["digest"],
        text_digest=manifest["text_digest"],
        revision=manifest["revision"],
        expires=expires,
        texts=texts,
        signers=frozenset(signers),
        roles=signers,
        oins=_oins(meaning),
        approvals=read,
    )


def _oins(meaning: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    try:
        parties = meaning["catalogue"]["parties"]
        return {name: frozenset([party["oin"], *party.get("sub_oins", ())]) for name, party in parties.items()}
    except (KeyError, TypeError, AttributeError):
        return {}


def _digest(value: object) -> str:
    return hashlib.sha256(strict_json.write(value)).hexdigest()


def _signer(signature: Any, message: bytes) -> tuple[str, str]:
    """Key and role of a signature that is right; an empty key for one that is not."""
    try:
        key = str(signature["key"])
        public_key_of(bytes.fromhex(key)).verify(bytes.fromhex(signature["signature"]), message)
    except (InvalidSignature, ValueError, TypeError, KeyError):
        return "", ""
    return key.lower(), str(signature.get("role", ""))
