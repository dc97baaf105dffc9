"""broker.yaml: unknown keys with a suggestion, wrong values with file and line, and what production demands."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.config import Config, load_config
from broker.errors import Code, SluisError
from broker.exchange_log.cosignature import witness_key
from broker.parties import Environment

SIGNERS = ["a" * 64, "b" * 64]
GOOD: dict[str, Any] = {
    "origin": "sluis.example/test-2026",
    "environment": "test",
    "listen": "127.0.0.1:50051",
    "data": "data",
    "keys": "/etc/sluis/keys",
    "tls": {
        "certificate": "pki/broker.pem",
        "key": "pki/broker.key",
        "client_issuers": ["pki/ca.pem"],
        "revocation_lists": ["pki/ca.crl"],
    },
    "policy": {"bundle": "policy.bundle", "signers": SIGNERS},
    "parties": {"snf": ["pki/snf.pem"]},
}


def vkey(name: str, seed: bytes = b"") -> str:
    raw = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed or name.encode()).digest())
    return str(witness_key(name, raw.public_key().public_bytes_raw()))


def changed(path: str, value: object) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(yaml.safe_dump(GOOD))
    *way, last = path.split(".")
    inner = document
    for name in way:
        inner = inner.setdefault(name, {})
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return document


def load(directory: Path, document: object) -> Config:
    path = directory / "broker.yaml"
    text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def refusal(directory: Path, document: object) -> str:
    with pytest.raises(SluisError) as caught:
        load(directory, document)
    assert caught.value.code is Code.CONFIG_INVALID
    return caught.value.message


def line_of(directory: Path, word: str) -> int:
    lines = (directory / "broker.yaml").read_text(encoding="utf-8").splitlines()
    (number,) = [at for at, line in enumerate(lines, 1) if word in line]
    return number


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.data == tmp_path / "data"
    assert config.keys == Path("/etc/sluis/keys")
    assert config.tls.client_issuers == [tmp_path / "pki/ca.pem"]
    assert config.tls.revocation_lists == [tmp_path / "pki/ca.crl"]
    assert config.policy.bundle == tmp_path / "policy.bundle"
    assert config.parties == {"snf": [tmp_path / "pki/snf.pem"]}
    assert (config.environment, config.policy.quorum, config.limits.answer_grid_ms) == (Environment.TEST, 2, 5)


@pytest.mark.parametrize(
    ("path", "suggestion"),
    [
        ("orgin", "origin"),
        ("tls.certificat", "certificate"),
        ("policy.quorom", "quorum"),
        ("limits.worker", "workers"),
    ],
)
def test_an_unknown_key_gets_a_suggestion_and_its_line(tmp_path: Path, path: str, suggestion: str) -> None:
    message = refusal(tmp_path, changed(path, "2"))
    line = line_of(tmp_path, path.rsplit(".", maxsplit=1)[-1] + ":")
    assert message.startswith(f"{tmp_path / 'broker.yaml'}:{line}: {path}: ")
    assert f"did you mean '{suggestion}'?" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("origin", "Not An Origin"),
        ("environment", "staging"),
        ("listen", "no port"),
        ("policy.signers", ["zz"]),
        ("policy.quorum", "-1"),
        ("policy.quorum", "two"),
        ("tls.client_issuers", []),
        ("tls.revocation_lists", []),
        ("tls.revocation_max_age_hours", "721"),
        ("limits.workers", "3"),
        ("limits.answer_grid_ms", "1001"),
        ("limits.bulk_slots", "0"),
        ("parties", "snf"),
    ],
)
def test_a_wrong_value_is_refused_with_file_line_and_key(tmp_path: Path, path: str, value: object) -> None:
    message = refusal(tmp_path, changed(path, value))
    line = line_of(tmp_path, path.rsplit(".", maxsplit=1)[-1] + ":")
    assert message.startswith(f"{tmp_path / 'broker.yaml'}:")
    assert int(message.split(":")[1]) in {line, line + 1}
    assert path in message


@pytest.mark.parametrize("path", [*GOOD, "tls.certificate", "tls.key", "tls.client_issuers", "policy.bundle"])
def test_what_has_no_default_must_be_there(tmp_path: Path, path: str) -> None:
    assert path in refusal(tmp_path, changed(path, None))


@pytest.mark.parametrize("name", ["SNF", "s_n_f", "1snf", "snf-999993653"])
def test_a_party_that_is_no_name_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    message = refusal(tmp_path, changed("parties", {"uwv": ["a.pem"], name: ["b.pem"]}))
    assert message.startswith(f"{tmp_path / 'broker.yaml'}:{line_of(tmp_path, f'{name}:')}: parties.")


def test_production_takes_approved_purposes_only(tmp_path: Path) -> None:
    document = changed("environment", "production")
    document["policy"]["unsafe_skip_approvals"] = True
    message = refusal(tmp_path, document)
    assert f":{line_of(tmp_path, 'unsafe_skip')}: policy.unsafe_skip_approvals is for trials" in message
    document["environment"] = "test"
    assert load(tmp_path, document).policy.unsafe_skip_approvals
    del document["policy"]["unsafe_skip_approvals"]
    assert not load(tmp_path, document).policy.unsafe_skip_approvals


@pytest.mark.parametrize("quorum", ["1"])
def test_production_wants_two_signatures(tmp_path: Path, quorum: str) -> None:
    document = changed("environment", "production")
    document["policy"]["quorum"] = quorum
    message = refusal(tmp_path, document)
    assert f":{line_of(tmp_path, 'quorum')}: policy.quorum must be at least 2 in production" in message
    document["policy"]["quorum"] = "2"
    assert "high_water is missing: production keeps" in refusal(tmp_path, document)
    document["high_water"] = "mark"
    assert load(tmp_path, document).environment is Environment.PRODUCTION
    assert load(tmp_path, document).high_water == tmp_path / "mark"
    document["environment"] = "test"
    document["policy"]["quorum"] = quorum
    assert load(tmp_path, document).policy.quorum == int(quorum)


def test_a_quorum_that_the_signers_cannot_reach_is_refused(tmp_path: Path) -> None:
    for signers in ([], ["a" * 64], ["a" * 64, "a" * 64]):
        message = refusal(tmp_path, changed("policy.signers", signers))
        assert "policy.quorum asks for 2 signatures, more than there are policy.signers: list the public key" in message


def test_a_directory_in_the_place_of_the_file_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(SluisError, match="is a directory; name the file in it"):
        load_config(tmp_path)


def test_a_file_that_is_not_there_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SluisError) as caught:
        load_config(tmp_path / "none.yaml")
    assert caught.value.code is Code.CONFIG_INVALID
    assert "sluis init" in caught.value.message
    (tmp_path / "broker.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SluisError):
        load_config(tmp_path / "broker.yaml")


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "just text", "a: b: c", "origin: a\norigin: b\n", "x: &y 1\n", "--- a\n--- b\n", "\t"]
)
def test_other_yaml_is_refused(tmp_path: Path, text: str) -> None:
    assert str(tmp_path / "broker.yaml") in refusal(tmp_path, text)


def witnesses(*keys: str, **more: object) -> dict[str, Any]:
    section = {
        "witnesses": [{"url": "https://w.example/x", "verifier_key": key} for key in keys],
        "quorum": "1",
        **more,
    }
    return changed("witness", section)


def test_witnesses_are_read(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).witness is None
    one, two = vkey("w1"), vkey("w2")
    witness = load(tmp_path, witnesses(one, two, quorum="2", ca_file="pki/ca.pem", grace_minutes="0")).witness
    assert witness is not None
    assert [str(key) for key in witness.keys] == [one, two]
    assert (witness.quorum, witness.grace_minutes, witness.ca_file) == (2, 0, tmp_path / "pki/ca.pem")
    assert load(tmp_path, witnesses(one)).witness.grace_minutes == 15


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (witnesses(), "witness.witnesses"),
        (witnesses(vkey("w1"), quorum="2"), "witness.quorum asks for 2 witnesses, more than there are"),
        (witnesses(vkey("w1"), quorum="0"), "witness.quorum"),
        (witnesses(vkey("w1"), grace_minutes="1441"), "witness.grace_minutes"),
        (witnesses(vkey("w1"), vkey("w2", b"w1")), "witness.witnesses.1: one witness counts once"),
        (witnesses("a+b+c"), "witness.witnesses.0: a witness's verifier key"),
        (witnesses(vkey("w1"), grase_minutes="1"), "did you mean 'grace_minutes'?"),
        (changed("witness", {"witnesses": [{"ur": "x", "verifier_key": vkey("a")}], "quorum": "1"}), "'url'"),
        (changed("witness", {"witnesses": [{"url": "x", "verifier_key": vkey("a")}], "quorum": "1"}), "http"),
    ],
)
def test_witnesses_that_cannot_be_used_are_refused(tmp_path: Path, document: dict[str, Any], said: str) -> None:
    message = refusal(tmp_path, document)
    assert message.startswith(f"{tmp_path / 'broker.yaml'}:")
    assert said in message


def test_time_stamps_are_off_until_they_are_asked_for(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).time_stamps is None
    stamps = {"url": "https://tsa.example/tsr", "certificates": ["pki/tsa.pem"]}
    found = load(tmp_path, changed("time_stamps", stamps)).time_stamps
    assert found is not None
    assert (found.every_minutes, found.certificates) == (60, [tmp_path / "pki/tsa.pem"])
    said = refusal(tmp_path, changed("time_stamps", {**stamps, "url": "ftp://tsa.example"}))
    assert "time_stamps.url: is an address that begins with http:// or https://" in said
    assert "did you mean" in refusal(tmp_path, changed("time_stamps", {**stamps, "certificate": []}))
    assert "time_stamps.certificates" in refusal(tmp_path, changed("time_stamps", {**stamps, "certificates": []}))


def test_a_key_service_is_off_until_it_is_named(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).key_service is None
    found = load(tmp_path, changed("key_service", {"id": "oost", "alone": True})).key_service
    assert found is not None
    assert (found.id, found.alone) == ("oost", True)
    assert "key_service.id" in refusal(tmp_path, changed("key_service", {"id": "Oost"}))
    assert "did you mean" in refusal(tmp_path, changed("key_service", {"id": "oost", "alon": True}))
