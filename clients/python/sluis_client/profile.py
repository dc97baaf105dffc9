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
    state: state                        # directory for keys, checkpoints and unfinished work
    key_services:                       # only for purposes about persons: the key services of other operators, by id
      oost: {target: keys.example.nl:8444, ca_file: trust/oost-ca.pem}  # and server_name, if it carries another name

What stands under `broker_issuers`, `origin`, `log_keys`, `policy_signers` and `party_issuers` comes to you by another
way than the broker: it is what the broker is checked against.
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
        if name not in _READERS:
            raise _wrong(path, lines[name], f"{name} is not a key of a profile{_suggest(name)}")
    read: dict[str, Any] = {}
    for name, reader in _READERS.items():
        if values.get(name, "") in ("", []):
            if name not in _OPTIONAL:
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
    return Profile(path=path.resolve(), **read)


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


_READERS: Mapping[str, Callable[[Any, Path], Any]] = {
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
    "state": _path,
    "key_services": service_addresses,
}
_OPTIONAL = frozenset(
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


def _suggest(name: str) -> str:
    close = difflib.get_close_matches(name, list(_READERS), n=1)
    return f"; did you mean {close[0]}?" if close else f"; the keys are {', '.join(_READERS)}"


def _wrong(path: Path, line: int, why: str) -> ClientError:
    return ClientError("PROFILE_INVALID", f"{path}:{line}: {why}")


_TEMPLATE: tuple[tuple[str, str | list[str], str], ...] = (
    ("party", "your-name", "Your organisation's name in the policy catalogue."),
    ("broker", "sluis.example.nl:8443", "Where the broker listens: host:port."),
    ("server_name", "", "Only if the broker's certificate carries another name than the host above."),
    ("broker_issuers", "trust/broker-ca.pem", "The CA (PEM) that vouches for the broker."),
    ("certificate", "certificate.pem", "Your certificate (PEM); your OIN stands in its Subject.serialNumber."),
    ("private_key", "certificate.key", "Its private key (PEM); readable by you only (chmod 600). Or: store."),
    ("private_key_password_file", "", "Only if that key is encrypted: a file with the password (chmod 600)."),
    ("signing_certificate", "", "Only if you sign with another certificate of your OIN than you connect with."),
    ("signing_key", "", "And its key: a file, store, pkcs11:... (a token) or transit:https://... (OpenBao, Vault)."),
    ("key_store", "", "What protects the state directory: passphrase, keyring, pkcs11:... or transit:https://..."),
    ("key_store_secret", "", "Where passphrase, PIN or access token comes from: prompt, file:, fd:, credential:."),
    ("key_store_ca_file", "", "Only for a transit server with a CA of its own (PEM)."),
    ("origin", "sluis.example/test-2026", "The name of the exchange log."),
    ("environment", "test", "test or production."),
    (
        "log_keys",
        [],
        "Verifier keys of the log (C2SP: name+hash+base64), oldest first. Ask by telephone, not by the broker.",
    ),
    ("policy_signers", [], "Ed25519 public keys (64 hex digits) of the people who sign policies."),
    ("policy_quorum", "2", "How many of them must have signed."),
    ("unsafe_skip_approvals", "", "Only for trials in test: true takes purposes that their two sides did not approve."),
    ("party_issuers", "trust/party-ca.pem", "The CAs (PEM) that vouch for the other parties."),
    ("state", "state", "Directory for keys, checkpoints and unfinished work. Back it up; keep it secret."),
    (
        "key_services",
        "",
        "Only for purposes about persons: other operators' key services, {id: {target: host:port, ca_file: path}}.",
    ),
)


def template(values: Mapping[str, str | list[str]] | None = None) -> str:
    """A commented profile with `values` filled in; an empty optional key stands as a comment.

    Raises:
        ClientError: PROFILE_INVALID for a key that no profile has.
    """
    given = dict(values or {})
    for name in given:
        if name not in _READERS:
            raise ClientError("PROFILE_INVALID", f"{name} is not a key of a profile{_suggest(name)}")
    lines = ["# Profile of sluis-client. Paths are relative to this file.", ""]
    for name, default, comment in _TEMPLATE:
        value = given.get(name, default)
        lines.append(f"# {comment}")
        shown = f"[{', '.join(map(_quoted, value))}]" if isinstance(value, list) else _quoted(value)
        lines.append(f"{name}: {shown}" if value or name not in _OPTIONAL else f"# {name}:")
        lines.append("")
    return "\n".join(lines)


def _quoted(value: str) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9_./-][A-Za-z0-9_./:+=-]*", value)
    return value if plain else "'" + value.replace("'", "''") + "'"
