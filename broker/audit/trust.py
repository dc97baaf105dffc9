"""The trust file (docs/formats.md section 8): what an auditor knows before reading a bundle, given by another way.

Its fingerprint is over what it means, not over its layout, so that two people can compare it by telephone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from broker.audit import strict_json
from broker.audit.key_periods import MEMBER as PERIODS_MEMBER
from broker.audit.key_periods import KeyPeriods, read_periods
from broker.audit.stamp_rule import MEMBERS as STAMP_MEMBERS
from broker.audit.stamp_rule import StampRule, read_stamp_rule
from broker.audit.tree import LogKeys, NoteError, parse_log_key
from broker.audit.witness_rule import MEMBERS as WITNESS_MEMBERS
from broker.audit.witness_rule import WitnessRule, parse_witness_key, read_rule
from broker.errors import Code, SluisError
from broker.policy.problems import did_you_mean
from broker.policy.strict_yaml import Node, read_yaml

_MEMBERS = ("origin", "environment", "log_keys", "issuers", "policy_signers", "policy_quorum", "engines")
_OPTIONAL = (
    frozenset({"policy_approvals", "revocation_max_age_hours", "time_stampers", PERIODS_MEMBER})
    | WITNESS_MEMBERS
    | STAMP_MEMBERS
)
_MORE = (
    "policy_approvals where it is `none`, revocation_max_age_hours where the age of revocation lists is to be checked, "
    "time_stampers where time stamps are, stamp_max_gap_hours where they are due, witnesses with witness_quorum where "
    "cosignatures are checked, and key_periods where a key counts for a time only"
)
_HEX64 = re.compile(r"[0-9a-f]{64}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?")


@dataclass(frozen=True)
class Trust:
    """What is trusted. `policy_quorum` distinct keys of `policy_signers` (hex Ed25519) must sign each policy set."""

    origin: str
    environment: str
    log_keys: LogKeys
    log_key_texts: frozenset[str]
    issuers: tuple[x509.Certificate, ...]
    policy_signers: frozenset[str]
    policy_quorum: int
    engines: frozenset[str]
    policy_approvals: bool
    """Whether active purposes must be approved by both their sides; always so in production."""
    fingerprint: str
    """SHA-256 in groups of four hex digits."""
    time_stampers: tuple[x509.Certificate, ...] = ()
    """CAs above the time stampers (RFC 3161); without any, time stamps are not checked."""
    revocation_max_age: timedelta | None = None
    """How old the broker lets a revocation list become; None: the log is not checked for it."""
    witness_rule: WitnessRule | None = None
    """Whose cosignatures count; without it none is checked."""
    stamp_rule: StampRule | None = None
    """How long entries may stand without a time stamp; without it stamps are checked, and none is missed."""
    periods: KeyPeriods = field(default_factory=KeyPeriods)
    """When keys count."""


def parse_trust(text: str, name: str = "trust.yaml") -> Trust:
    """The trust in a file's text; `name` is only used to say where something is wrong.

    Raises:
        SluisError: CONFIG_INVALID naming what to change.
    """
    file, problems = read_yaml(text, name)
    if file is None:
        if text.startswith("{"):
            raise _wrong(name, "is JSON, not a trust file; was a bundle given in its place? The bundle comes first")
        first = problems[0]
        raise SluisError(Code.CONFIG_INVALID, f"{name}:{first.line}: {first.text}; {first.suggestion}")
    value = file.value
    if not isinstance(value, dict):
        raise _wrong(name, f"has exactly these members: {', '.join(_MEMBERS)}; and {_MORE}")
    _refuse_other_members(name, set(value))
    origin, environment = value["origin"], value["environment"]
    if not isinstance(origin, str) or not origin or environment not in ("test", "production"):
        raise _wrong(name, "origin is the log's name, environment is test or production")
    log_keys = _texts(name, "log_keys", value["log_keys"], least=1)
    issuers = _certificates(name, "issuers", value["issuers"])
    time_stampers = _certificates(name, "time_stampers", value["time_stampers"]) if "time_stampers" in value else []
    signers = _texts(name, "policy_signers", value["policy_signers"], least=0)
    engines = _texts(name, "engines", value["engines"], least=1)
    quorum_text = value["policy_quorum"]
    if not isinstance(quorum_text, str) or not re.fullmatch(r"[0-9]{1,2}", quorum_text):
        raise _wrong(name, "policy_quorum is a number")
    quorum = int(quorum_text)
    if not all(_HEX64.fullmatch(signer) for signer in signers) or quorum > len(set(signers)):
        raise _wrong(name, "policy_signers are 64 hex digits each, and at least policy_quorum of them")
    if quorum < 1 and environment == "production":
        raise _wrong(name, "policy_quorum is at least 1 in production")
    keys = _log_keys(name, origin, log_keys)
    approvals = _approvals(name, value.get("policy_approvals", "required"), environment)
    max_age = _hours(name, "revocation_max_age_hours", value.get("revocation_max_age_hours"))
    try:
        witness_rule, stamp_rule = read_rule(value), read_stamp_rule(value)
        periods = _periods(name, value, log_keys, witness_rule, issuers)
    except ValueError as error:
        raise _wrong(name, str(error)) from None
    meaning: dict[str, object] = {
        "origin": origin,
        "environment": environment,
        "log_keys": sorted(set(log_keys)),
        "issuers": _ders(issuers),
        "policy_signers": sorted(set(signers)),
        "policy_quorum": quorum,
        "engines": sorted(set(engines)),
        **_optional_meaning(approvals, max_age, time_stampers, witness_rule),
        **({} if stamp_rule is None else stamp_rule.meaning),
        **({PERIODS_MEMBER: list(periods.texts)} if periods.texts else {}),
    }
    return Trust(
        origin=str(origin),
        environment=str(environment),
        log_keys=keys,
        log_key_texts=frozenset(log_keys),
        issuers=tuple(issuers),
        policy_signers=frozenset(signers),
        policy_quorum=quorum,
        engines=frozenset(engines),
        policy_approvals=approvals,
        fingerprint=_mark(meaning),
        time_stampers=tuple(time_stampers),
        revocation_max_age=max_age,
        witness_rule=witness_rule,
        stamp_rule=stamp_rule,
        periods=periods,
    )


def _log_keys(name: str, origin: str, texts: Sequence[str]) -> LogKeys:
    try:
        keys = dict(parse_log_key(key) for key in texts)
    except NoteError as error:
        raise _wrong(name, f"log_keys: {error}") from None
    if any(key_name != origin for key_name, _ in keys):
        raise _wrong(name, "log_keys are keys of the origin, and begin with its name")
    return keys


def _periods(
    name: str,
    value: Mapping[str, Node],
    log_keys: Sequence[str],
    witness_rule: WitnessRule | None,
    issuers: Sequence[x509.Certificate],
) -> KeyPeriods:
    """When keys count. Raises ValueError telling what to change."""
    if PERIODS_MEMBER not in value:
        return KeyPeriods()
    return read_periods(
        _texts(name, PERIODS_MEMBER, value[PERIODS_MEMBER], least=1),
        {text: parse_log_key(text)[0] for text in log_keys},
        {text: parse_witness_key(text)[0] for text in (witness_rule.texts if witness_rule else ())},
        [certificate.fingerprint(SHA256()).hex() for certificate in issuers],
    )


def _refuse_other_members(name: str, members: set[str]) -> None:
    """Names the members that do not belong there, with the one that was meant, or else those that lack."""
    strange, lacking = members - set(_MEMBERS) - _OPTIONAL, set(_MEMBERS) - members
    if strange:
        near = [f"{one!r}: {did_you_mean(one, set(_MEMBERS) | _OPTIONAL)}" for one in sorted(strange)]
        raise _wrong(name, f"has a member that no trust file has, {'; '.join(near)}")
    if lacking:
        raise _wrong(name, f"lacks {', '.join(one for one in _MEMBERS if one in lacking)}; and may have {_MORE}")


def _optional_meaning(
    approvals: bool,
    max_age: timedelta | None,
    time_stampers: Sequence[x509.Certificate],
    witness_rule: WitnessRule | None,
) -> dict[str, object]:
    """What a file without these members does not mean: its fingerprint stays what it was before they existed."""
    meaning: dict[str, object] = {}
    if not approvals:
        meaning["policy_approvals"] = "none"
    if max_age is not None:
        meaning["revocation_max_age_hours"] = max_age // timedelta(hours=1)
    if time_stampers:
        meaning["time_stampers"] = _ders(time_stampers)
    if witness_rule is not None:
        meaning.update(witness_rule.meaning)
    return meaning


def trust_text(
    *,
    origin: str,
    environment: str,
    log_keys: Sequence[str],
    issuers: Sequence[str],
    policy_signers: Sequence[str],
    policy_quorum: int,
    engines: Sequence[str],
    unsafe_skip_approvals: bool = False,
    revocation_max_age_hours: int | None = None,
    time_stampers: Sequence[str] = (),
    witnesses: Sequence[str] = (),
    witness_quorum: int = 0,
    key_periods: Sequence[str] = (),
    **numbers: int,
) -> str:
    """The text of a trust file; `issuers` and `time_stampers` are PEM. For the operator who hands it to an auditor.

    `witnesses` with `witness_quorum`; `key_periods`: lines `<key> <first> <last>`. `numbers`: `witness_grace_minutes`,
    `witness_from`, `stamp_max_gap_hours` and `stamp_from` where they are not the default.
    """
    value: dict[str, object] = {
        "origin": origin,
        "environment": environment,
        "log_keys": list(log_keys),
        "issuers": [issuer.strip() + "\n" for issuer in issuers],
        "policy_signers": [str(signer) for signer in policy_signers],
        "policy_quorum": policy_quorum,
        "engines": list(engines),
    }
    if unsafe_skip_approvals:
        value["policy_approvals"] = "none"
    if revocation_max_age_hours is not None:
        value["revocation_max_age_hours"] = revocation_max_age_hours
    if time_stampers:
        value["time_stampers"] = [pem.strip() + "\n" for pem in time_stampers]
    if witnesses:
        value.update(witnesses=list(witnesses), witness_quorum=witness_quorum)
    value.update(numbers)
    if key_periods:
        value[PERIODS_MEMBER] = list(key_periods)
    head = "# What an auditor trusts before reading a bundle of this log (docs/formats.md section 8).\n"
    text = head + yaml.dump(value, Dumper=_BlockDumper, sort_keys=False, default_flow_style=False, width=4096)
    parse_trust(text)
    return text


class _BlockDumper(yaml.SafeDumper):
    """Writes certificates as blocks, so that a person can read the file."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_BlockDumper.add_representer(str, _block)


def _mark(meaning: dict[str, object]) -> str:
    digest = hashlib.sha256(b"sluis/v1/trust\n" + strict_json.write(meaning)).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, 64, 4))


def _approvals(name: str, value: Node, environment: str) -> bool:
    if value not in ("required", "none") or (value == "none" and environment == "production"):
        raise _wrong(name, "policy_approvals is required, or none in a test environment")
    return value == "required"


def _hours(name: str, member: str, value: Node | None) -> timedelta | None:
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,3}", value) or not 1 <= int(value) <= 720:
        raise _wrong(name, f"{member} is 1 to 720, as the broker is configured")
    return timedelta(hours=int(value))


def _texts(name: str, member: str, value: Node, *, least: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) < least:
        raise _wrong(name, f"{member} is a list of at least {least}")
    texts = [str(item) for item in value if isinstance(item, str) and item]
    if len(texts) != len(value):
        raise _wrong(name, f"{member} is a list of texts")
    return tuple(texts)


def _certificates(name: str, member: str, value: Node) -> list[x509.Certificate]:
    return [found for item in _texts(name, member, value, least=1) for found in _pems(name, member, item)]


def _ders(certificates: Sequence[x509.Certificate]) -> list[str]:
    return sorted({certificate.public_bytes(Encoding.DER).hex() for certificate in certificates})


def _pems(name: str, member: str, text: str) -> list[x509.Certificate]:
    blocks = _PEM.findall(text if text.endswith("\n") else text + "\n")
    try:
        found = [x509.load_pem_x509_certificate(block.encode()) for block in blocks]
    except ValueError:
        raise _wrong(name, f"{member} holds a certificate that cannot be read") from None
    if not found or "".join(blocks).strip() != text.strip():
        raise _wrong(name, f"{member} are certificates in PEM, written as a block (|)")
    return found


def _wrong(name: str, what: str) -> SluisError:
    return SluisError(Code.CONFIG_INVALID, f"{name}: {what}")
