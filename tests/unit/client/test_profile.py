import base64
import hashlib

import pytest
import yaml
from sluis_client.errors import ClientError, Exit
from sluis_client.profile import load_profile
from sluis_client.profile_template import template

ORIGIN = "sluis.example/t-2026"
RAW = b"\x01" + bytes(range(32))
HASH = hashlib.sha256(ORIGIN.encode() + b"\n" + RAW).hexdigest()[:8]
VKEY = f"{ORIGIN}+{HASH}+{base64.b64encode(RAW).decode()}"
WHOLE = {
    "party": "utrecht",
    "broker": "sluis.example.nl:8443",
    "broker_issuers": "trust/broker.pem",
    "certificate": "own.pem",
    "private_key": "own.key",
    "origin": ORIGIN,
    "environment": "test",
    "log_keys": [VKEY],
    "policy_signers": ["ab" * 32, "cd" * 32],
    "policy_quorum": 2,
    "party_issuers": "trust/party.pem",
    "state": "state",
}


def write(tmp_path, text=None, **changed):
    values = {name: value for name, value in (WHOLE | changed).items() if value is not None}
    path = tmp_path / "sluis-client.yaml"
    path.write_text(yaml.safe_dump(values) if text is None else text, encoding="utf-8")
    return path


def refusal(path):
    with pytest.raises(ClientError) as caught:
        load_profile(path)
    return caught.value


def test_a_whole_profile_is_read_with_paths_beside_it(tmp_path):
    profile = load_profile(write(tmp_path))
    assert (profile.party, profile.environment, profile.policy_quorum) == ("utrecht", "test", 2)
    assert profile.broker_issuers == (tmp_path / "trust" / "broker.pem").resolve()
    assert profile.state == (tmp_path / "state").resolve()
    assert (profile.server_name, profile.private_key_password_file) == ("", None)
    assert profile.log_keys == (VKEY,)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"brokr": "x:1"}, "brokr is not a key of a profile; did you mean broker?"),
        ({"party": None}, "party is missing"),
        ({"party": "Utrecht"}, "party: must be your name"),
        ({"broker": "sluis.example.nl"}, "broker: must be host:port"),
        ({"environment": "acceptance"}, "environment: must be test or production"),
        ({"policy_quorum": 0}, "policy_quorum: must be a number of 1 or more"),
        ({"policy_quorum": 3}, "policy_quorum is more than there are policy_signers"),
        ({"policy_signers": ["ab"]}, "policy_signers: must be different Ed25519"),
        ({"policy_signers": ["ab" * 32, "ab" * 32]}, "policy_signers: must be different Ed25519"),
        ({"policy_signers": []}, "policy_signers is missing"),
        ({"log_keys": VKEY}, "log_keys: must be a list"),
        ({"log_keys": [VKEY.replace(HASH, "00000000")]}, "log_keys: the log key's hash"),
        ({"origin": "sluis.example/other"}, "log_keys has a key of another log"),
        ({"environment": "production", "policy_quorum": 1}, "policy_quorum is at least 2 in production"),
        ({"unsafe_skip_approvals": "yes"}, "unsafe_skip_approvals: must be true or false"),
        ({"unsafe_skip_approvals": [True]}, "unsafe_skip_approvals: must be true or false"),
        ({"environment": "production", "unsafe_skip_approvals": True}, "unsafe_skip_approvals is for trials"),
        ({"state": {"a": "b"}}, "must be a text or a list of texts"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, changed, words):
    error = refusal(write(tmp_path, **changed))
    assert (error.code, error.exit_code) == ("PROFILE_INVALID", Exit.USAGE)
    assert words in error.message
    assert "sluis-client.yaml:" in error.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("party: a\nparty: b\n", ":2: party stands here twice"),
        ("- a\n", "must be keys with values"),
        ("party: &x a\nbroker: *x\n", "anchors and aliases"),
        ("party: [a\n", "is not YAML"),
        ("", "must be keys with values"),
    ],
)
def test_yaml_is_read_strictly(tmp_path, text, words):
    assert words in refusal(write(tmp_path, text)).message


def test_approvals_are_skipped_only_where_the_profile_says_so(tmp_path):
    assert not load_profile(write(tmp_path)).unsafe_skip_approvals
    assert load_profile(write(tmp_path, unsafe_skip_approvals=True)).unsafe_skip_approvals
    # in production the key may stand there, as long as it skips nothing
    assert not load_profile(
        write(tmp_path, unsafe_skip_approvals=False, environment="production")
    ).unsafe_skip_approvals


def test_scalars_are_text_whatever_yaml_thinks(tmp_path):
    text = yaml.safe_dump(WHOLE).replace("party: utrecht", "party: no")
    assert load_profile(write(tmp_path, text)).party == "no"


def test_a_missing_file_says_how_to_make_one(tmp_path):
    error = refusal(tmp_path / "none.yaml")
    assert error.code == "PROFILE_MISSING"
    assert "sluis-client init" in error.message


def test_a_key_that_others_can_read_is_refused(tmp_path):
    profile = load_profile(write(tmp_path))
    (tmp_path / "own.pem").write_bytes(b"x")
    (tmp_path / "own.key").write_bytes(b"x")
    (tmp_path / "own.key").chmod(0o640)
    for use in (profile.party_key, profile.tls_identity):
        with pytest.raises(ClientError) as caught:
            use()
        assert (caught.value.code, caught.value.exit_code) == ("KEY_UNSAFE", Exit.KEY_TROUBLE)


def test_a_missing_key_names_the_setting(tmp_path):
    profile = load_profile(write(tmp_path))
    with pytest.raises(ClientError) as caught:
        profile.trusted_parties()
    assert caught.value.code == "KEY_UNREADABLE"
    assert "party_issuers" in caught.value.message


def test_the_template_reads_back_once_filled_in(tmp_path):
    filled = {name: value if isinstance(value, list) else str(value) for name, value in WHOLE.items()}
    profile = load_profile(write(tmp_path, template(filled | {"server_name": "broker.internal"})))
    assert profile.server_name == "broker.internal"
    assert profile.policy_signers == tuple(WHOLE["policy_signers"])
    # every key is explained above it
    lines = template(filled).splitlines()
    for name in WHOLE:
        place = next(number for number, line in enumerate(lines) if line.startswith(f"{name}:"))
        assert lines[place - 1].startswith("# ")
    # what weakens a check is explained, and stands there as a comment until somebody means it
    assert "# unsafe_skip_approvals:" in lines
    assert "trials" in lines[lines.index("# unsafe_skip_approvals:") - 1]
    assert load_profile(write(tmp_path, template(filled | {"unsafe_skip_approvals": "true"}))).unsafe_skip_approvals


def test_the_bare_template_is_refused_until_it_is_filled_in(tmp_path):
    assert "log_keys is missing" in refusal(write(tmp_path, template())).message


def test_the_template_knows_its_keys():
    with pytest.raises(ClientError) as caught:
        template({"prty": "x"})
    assert "did you mean party?" in caught.value.message


def test_key_services_of_other_operators(tmp_path):
    said = {"oost": {"target": "keys.example.nl:8444", "ca_file": "trust/oost.pem", "server_name": "keys"}}
    (address,) = load_profile(write(tmp_path, key_services=said)).key_services.values()
    assert (address.target, address.server_name) == ("keys.example.nl:8444", "keys")
    assert address.ca_file == (tmp_path / "trust" / "oost.pem").resolve()
    assert load_profile(write(tmp_path)).key_services == {}


@pytest.mark.parametrize(
    ("services", "words"),
    [
        ("oost", "key_services: must be ids with their keys"),
        (["oost"], "key_services: must be ids with their keys"),
        ({"Oost": {"target": "a:1", "ca_file": "x"}}, "the id of a key service is that of the policy"),
        ({"oost": "a:1"}, "oost takes target, ca_file, server_name"),
        ({"oost": {"target": "a:1", "ca_file": "x", "port": "1"}}, "oost takes target, ca_file, server_name"),
        ({"oost": {"ca_file": "x"}}, "oost needs target: host:port"),
        ({"oost": {"target": "a", "ca_file": "x"}}, "oost needs target: host:port"),
        ({"oost": {"target": "a:1"}}, "oost needs ca_file"),
        ({"oost": {"target": "a:1", "ca_file": "x", "server_name": "a b"}}, "server_name must be the host name"),
        ({"oost": {"target": {"a": "1"}, "ca_file": "x"}}, "must be a text or a list of texts"),
    ],
)
def test_key_services_that_are_wrong_are_told(tmp_path, services, words):
    error = refusal(write(tmp_path, key_services=services))
    assert error.code == "PROFILE_INVALID"
    assert words in error.message


def test_a_key_service_that_stands_twice_is_told(tmp_path):
    text = (
        yaml.safe_dump(WHOLE)
        + "key_services:\n  oost: {target: 'a:1', ca_file: x}\n  oost: {target: 'b:1', ca_file: x}\n"
    )
    assert "oost stands here twice" in refusal(write(tmp_path, text)).message
