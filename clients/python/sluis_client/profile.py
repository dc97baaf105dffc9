"""The agency's configuration file, `sluis-client.yaml`: who it is, where the broker is, and whom it trusts.

Every key, once; unknown keys are refused; paths are relative to the file. `sluis-client init` writes a commented one.

    party: utrecht                      # your name in the policy catalogue
    broker: sluis.example.nl:8443       # host:port
    server_name: sluis.example.nl       # only if the broker's certificate carries another name than `broker`
    broker_issuers: trust/broker-ca.pem # the CA (PEM) that vouches for the broker
    certificate: utrecht.pem            # your certificate (PEM), your OIN in Subject.serialNumber
    private_key: utrecht.key            # its key (PEM), readable by you only; or `store`: taken into the key store
    private_key_password_file: utrecht.pass  # only if the key is encrypted
    signing_certificate: sign.pem       # only if statements are signed with another certificate of yours
    signing_key: pkcs11:token=...       # and its key: a file, or a key in a token or server
    key_store: passphrase               # only if the key store is protected: by what (see sluis_custody.choosing)
    key_store_secret: prompt            # its passphrase, PIN or access token: prompt, file:PATH, fd:N, credential:NAME
    key_store_ca_file: trust/bao-ca.pem # CAs (PEM) of a transit server, instead of the machine's
    origin: sluis.example/test-2026     # the log's name
    environment: test                   # test or production
    log_keys: [sluis.example/test-2026+1a2b3c4d+AY...]  # the log's verifier keys
    policy_signers: [<64 hex digits>, ...]              # Ed25519 keys of those who sign policies
    policy_quorum: 2                    # how many of them must have signed
    unsafe_skip_approvals: true         # only in test, for trials: take purposes that their sides did not approve
    party_issuers: trust/party-ca.pem   # the CAs (PEM) that vouch for the other parties
    witnesses: [witness.example/a+1a2b3c4d+BA...]       # only if: verifier keys of the log's witnesses
    witness_quorum: 2                   # with witnesses: how many of them must have cosigned
    demand_witnessed: true              # only if: refuse what is log-signed only
    witness_wait_seconds: 30            # with demand_witnessed: how long cosignatures are waited for
    state: state                        # directory for keys, checkpoints and unfinished work
    key_services:                       # only for purposes about persons: the key services of other operators, by id
      oost: {target: keys.example.nl:8444, ca_file: trust/oost-ca.pem}  # and server_name, if it carries another name

What stands under `broker_issuers`, `origin`, `log_keys`, `policy_signers`, `party_issuers` and `witnesses` comes to you
by another way than the broker: it is what the broker is checked against.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from sluis_custody.choosing import check_protection, is_signer, signer_of
from sluis_custody.secret_sources import secret_source

from sluis_client.errors import ClientError
from sluis_client.private_files import read_file
from sluis_client.profile_services import ServiceAddress, service_addresses
from sluis_client.receipts import check_verifier_key
from sluis_client.statements import PartyKey
from sluis_client.store_protection import custody_errors
from sluis_client.witnessed import WitnessRule, read_rule

DEFAULT_NAME = "sluis-client.yaml"
IN_STORE = "store"
"""As `private_key`: the key was taken into the key store."""
_MAX_BYTES = 256 * 1024
_MAX_DEPTH = 2
_PARTY = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9./-]{2,100}")
_HEX_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Profile:
    """The file, read; paths are absolute. What each member means stands in the module's text."""

    path: Path
    party: str
    broker: str
    broker_issuers: Path
    certificate: Path
    private_key: Path | str
    origin: str
    environment: str
    log_keys: tuple[str, ...]
    policy_signers: tuple[str, ...]
    policy_quorum: int
    party_issuers: Path
    state: Path
    server_name: str = ""
    private_key_password_file: Path | None = None
    signing_certificate: Path | None = None
    signing_key: Path | str | None = None
    key_store: str = ""
    key_store_secret: str = "prompt"  # noqa: S105 - where it comes from
    key_store_ca_file: Path | None = None
    unsafe_skip_approvals: bool = False
    key_services: Mapping[str, ServiceAddress] = field(default_factory=dict)
    witnesses: tuple[str, ...] = ()
    witness_quorum: int = 0
    demand_witnessed: bool = False
    witness_wait_seconds: int = 30

    @property
    def witness_rule(self) -> WitnessRule | None:
        """Whose cosignatures count; None where the profile names no witnesses."""
        return read_rule(self.witnesses, self.witness_quorum) if self.witnesses else None

    def party_key(self) -> PartyKey:
        """Certificate and private key with which statements are signed.

        Raises:
            ClientError: KEY_UNREADABLE, KEY_UNSAFE when others on this machine can read the key, KEY_TYPE_WRONG,
                KEY_NOT_OF_CERTIFICATE; KEYSTORE_LOCKED and its kind for a key in a key store, token or server.
        """
        from sluis_client.party_keys import signing_key

        return signing_key(self)

    def tls_identity(self) -> tuple[bytes, bytes]:
        """Private key (PEM, unencrypted) and certificate chain (PEM), as TLS takes them. Raises as `party_key`."""
        from sluis_client.party_keys import tls_identity

        return tls_identity(self)

    def trusted_parties(self) -> bytes:
        """PEM of the CAs that vouch for other parties. Raises KEY_UNREADABLE."""
        return read_file(self.party_issuers, "party_issuers")

    def trusted_broker(self) -> bytes:
        """PEM of the CAs that vouch for the broker. Raises KEY_UNREADABLE."""
        return read_file(self.broker_issuers, "broker_issuers")


def load_profile(path: Path) -> Profile:
    """Reads a profile; nothing it points to is opened yet.

    Raises:
        ClientError: PROFILE_MISSING, PROFILE_INVALID naming the line and what to change.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except FileNotFoundError:
        text = f"there is no {path}; make one with `sluis-client init`, or name another with --profile"
        raise ClientError("PROFILE_MISSING", text) from None
    except (OSError, UnicodeDecodeError):
        raise ClientError("PROFILE_INVALID", f"{path}: cannot be read as UTF-8 text") from None
    if len(raw) > _MAX_BYTES:
        raise ClientError("PROFILE_INVALID", f"{path}: is larger than {_MAX_BYTES} bytes")
    values, lines = _mapping(path, text)
    base = path.resolve().parent
    for name in values:
        if name not in READERS:
            raise _wrong(path, lines[name], f"{name} is not a key of a profile{suggest(name)}")
    read: dict[str, Any] = {}
    for name, reader in READERS.items():
        if values.get(name, "") in ("", []):
            if name not in OPTIONAL:
                raise _wrong(path, lines.get(name, 1), f"{name} is missing; `sluis-client init` shows what it is")
            continue
        try:
            read[name] = reader(values[name], base)
        except (ValueError, ClientError) as error:
            raise _wrong(path, lines[name], f"{name}: {getattr(error, 'message', error)}") from None
    if read["policy_quorum"] > len(read["policy_signers"]):
        raise _wrong(path, lines["policy_quorum"], "policy_quorum is more than there are policy_signers")
    if read["environment"] == "production" and read["policy_quorum"] < 2:
        raise _wrong(path, lines["policy_quorum"], "policy_quorum is at least 2 in production")
    if read["environment"] == "production" and read.get("unsafe_skip_approvals"):
        text = "unsafe_skip_approvals is for trials: in production both sides have approved what is active; remove it"
        raise _wrong(path, lines["unsafe_skip_approvals"], text)
    if any(key.partition("+")[0] != read["origin"] for key in read["log_keys"]):
        raise _wrong(path, lines["log_keys"], "log_keys has a key of another log than origin names")
    _check_witnesses(path, read, lines)
    return Profile(path=path.resolve(), **read)


def _check_witnesses(path: Path, read: Mapping[str, Any], lines: Mapping[str, int]) -> None:
    named = [
        name for name in ("witnesses", "witness_quorum", "demand_witnessed", "witness_wait_seconds") if name in read
    ]
    if named and not {"witnesses", "witness_quorum"} <= set(named):
        raise _wrong(path, lines[named[0]], f"{named[0]} needs witnesses and witness_quorum beside it")
    if named and read["witness_quorum"] > len(read["witnesses"]):
        raise _wrong(path, lines["witness_quorum"], "witness_quorum is more than there are witnesses")


def _text(pattern: re.Pattern[str], words: str) -> Callable[[Any, Path], str]:
    def reader(value: Any, _: Path) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"must be {words}")
        return value

    return reader


def _path(value: Any, base: Path) -> Path:
    if not isinstance(value, str):
        raise ValueError("must be a path")  # noqa: TRY004  # told as a wrong value of the file
    return (base / Path(value).expanduser()).resolve()


def _key_place(value: Any, base: Path) -> Path | str:
    return IN_STORE if value == IN_STORE else _path(value, base)


def _signing_place(value: Any, base: Path) -> Path | str:
    if isinstance(value, str) and is_signer(value):
        with custody_errors():
            signer_of(value, lambda: b"")
        return value
    return _key_place(value, base)


def _protection(value: Any, _: Path) -> str:
    with custody_errors():
        return check_protection(value if isinstance(value, str) else "")


def _secret_source(value: Any, base: Path) -> str:
    with custody_errors():
        secret_source(value if isinstance(value, str) else "", base)
    return str(value)


def _environment(value: Any, _: Path) -> str:
    if value not in ("test", "production"):
        raise ValueError("must be test or production")
    return str(value)


def _quorum(value: Any, _: Path) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]?", value):
        raise ValueError("must be a number of 1 or more: unsigned policies are never taken")
    return int(value)


def _flag(value: Any, _: Path) -> bool:
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return bool(value == "true")


def _number(least: int, most: int) -> Callable[[Any, Path], int]:
    def reader(value: Any, _: Path) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,4}", value) or not least <= int(value) <= most:
            raise ValueError(f"must be a number from {least} to {most}")
        return int(value)

    return reader


def _witnesses(value: Any, _: Path) -> tuple[str, ...]:
    texts = _list(value)
    read_rule(texts, 1)
    return texts


def _log_keys(value: Any, _: Path) -> tuple[str, ...]:
    keys = _list(value)
    for key in keys:
        check_verifier_key(key)
    return keys


def _signers(value: Any, _: Path) -> tuple[str, ...]:
    keys = _list(value)
    if not all(_HEX_KEY.fullmatch(key) for key in keys) or len(set(keys)) != len(keys):
        raise ValueError("must be different Ed25519 public keys of 64 lower-case hex digits")
    return keys


def _list(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list, such as [one, two]")
    return tuple(value)


READERS: Mapping[str, Callable[[Any, Path], Any]] = {
    "party": _text(_PARTY, "your name in the policy catalogue, such as utrecht"),
    "broker": _text(_ADDRESS, "host:port, such as sluis.example.nl:8443"),
    "server_name": _text(re.compile(r"[A-Za-z0-9.-]{1,253}"), "the host name in the broker's certificate"),
    "broker_issuers": _path,
    "certificate": _path,
    "private_key": _key_place,
    "private_key_password_file": _path,
    "signing_certificate": _path,
    "signing_key": _signing_place,
    "key_store": _protection,
    "key_store_secret": _secret_source,
    "key_store_ca_file": _path,
    "origin": _text(_ORIGIN, "the log's name, such as sluis.example/test-2026"),
    "environment": _environment,
    "log_keys": _log_keys,
    "policy_signers": _signers,
    "policy_quorum": _quorum,
    "unsafe_skip_approvals": _flag,
    "party_issuers": _path,
    "witnesses": _witnesses,
    "witness_quorum": _number(1, 99),
    "demand_witnessed": _flag,
    "witness_wait_seconds": _number(0, 600),
    "state": _path,
    "key_services": service_addresses,
}
OPTIONAL = frozenset(
    {
        "server_name",
        "private_key_password_file",
        "signing_certificate",
        "signing_key",
        "key_store",
        "key_store_secret",
        "key_store_ca_file",
        "unsafe_skip_approvals",
        "key_services",
        "witnesses",
        "witness_quorum",
        "demand_witnessed",
        "witness_wait_seconds",
    }
)


def _mapping(path: Path, text: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The top-level keys with their values as text or lists of text, and the line of each key."""
    try:
        events = list(yaml.parse(text, Loader=yaml.SafeLoader))
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _wrong(path, mark.line + 1 if mark else 1, "is not YAML; look for a tab or a missing quote") from None
    if any(isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) for event in events):
        raise _wrong(path, 1, "anchors and aliases are not read here")
    if not isinstance(root, yaml.MappingNode):
        raise _wrong(path, 1, "must be keys with values, such as `party: utrecht`")
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in root.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in values:
            raise _wrong(path, line, f"{name} stands here twice")
        values[name], lines[name] = _plain(path, value, name), line
    return values, lines


def _plain(path: Path, node: yaml.Node, key: str, depth: int = 0) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return [str(item.value) for item in node.value]
    if isinstance(node, yaml.MappingNode) and key == "key_services" and depth < _MAX_DEPTH:
        found: dict[str, Any] = {}
        for name, value in node.value:
            if name.value in found:
                raise _wrong(path, name.start_mark.line + 1, f"{name.value} stands here twice")
            found[str(name.value)] = _plain(path, value, key, depth + 1)
        return found
    raise _wrong(path, node.start_mark.line + 1, "must be a text or a list of texts")


def suggest(name: str) -> str:
    """The key that was meant, or all there are."""
    close = difflib.get_close_matches(name, list(READERS), n=1)
    return f"; did you mean {close[0]}?" if close else f"; the keys are {', '.join(READERS)}"


def _wrong(path: Path, line: int, why: str) -> ClientError:
    return ClientError("PROFILE_INVALID", f"{path}:{line}: {why}")
