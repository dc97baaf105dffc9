"""The commented profile that `sluis-client init` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sluis_client.errors import ClientError
from sluis_client.profile import OPTIONAL, READERS, suggest

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
    (
        "witnesses",
        [],
        "Verifier keys of the log's witnesses, got from them; without, nothing says who saw the log.",
    ),
    ("witness_quorum", "", "With witnesses: how many of them must have cosigned."),
    ("demand_witnessed", "", "With witnesses: true refuses answers and receipts that are log-signed only."),
    ("witness_wait_seconds", "", "With demand_witnessed: how long cosignatures are waited for; 30 if left out."),
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
        if name not in READERS:
            raise ClientError("PROFILE_INVALID", f"{name} is not a key of a profile{suggest(name)}")
    lines = ["# Profile of sluis-client. Paths are relative to this file.", ""]
    for name, default, comment in _TEMPLATE:
        value = given.get(name, default)
        lines.append(f"# {comment}")
        shown = f"[{', '.join(map(_quoted, value))}]" if isinstance(value, list) else _quoted(value)
        lines.append(f"{name}: {shown}" if value or name not in OPTIONAL else f"# {name}:")
        lines.append("")
    return "\n".join(lines)


def _quoted(value: str) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9_./-][A-Za-z0-9_./:+=-]*", value)
    return value if plain else "'" + value.replace("'", "''") + "'"
