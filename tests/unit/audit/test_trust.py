"""The trust file: read strictly, fingerprinted by what it means."""

import pytest
from audit_kit import World, authority

from broker.audit.trust import parse_trust
from broker.errors import Code, SluisError

WORLD = World()
TEXT = WORLD.trust_text()


def test_it_is_read_back() -> None:
    trust = parse_trust(TEXT)
    assert trust.origin == "sluis.example/test-2026"
    assert trust.environment == "test"
    assert trust.policy_quorum == 2
    assert len(trust.policy_signers) == 3
    assert [issuer.subject for issuer in trust.issuers]


def test_the_fingerprint_is_of_the_meaning() -> None:
    trust = parse_trust(TEXT)
    again = parse_trust(TEXT.replace("# What", "# Another comment; what"))
    signers = sorted(trust.policy_signers)
    assert again.fingerprint == trust.fingerprint
    assert WORLD.trust(policy_signers=signers[::-1]).fingerprint == trust.fingerprint
    assert WORLD.trust(policy_quorum=3).fingerprint != trust.fingerprint
    assert len(trust.fingerprint.split(" ")) == 16


def test_several_issuers_in_one_block() -> None:
    pem = authority().ca.certificate.decode()
    assert len(WORLD.trust(issuers=[pem + pem]).issuers) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("origin: sluis.example/test-2026", "origin: sluis.example/other"),
        ("origin: sluis.example/test-2026", "origin: ''"),
        ("environment: test", "environment: demo"),
        ("environment: test\n", ""),
        ("environment: test", "environment: test\nenvironment: test"),
        ("environment: test", "environment: test\nextra: 1"),
        ("policy_quorum: 2", "policy_quorum: 4"),
        ("policy_quorum: 2", "policy_quorum: -1"),
        ("policy_quorum: 2", "policy_quorum: two"),
        ("policy_quorum: 2", "policy_quorum: [2]"),
        ("- sluis-engine/2", "- [sluis-engine/1]"),
        ("engines:\n- sluis-engine/2", "engines: []"),
        ("engines:\n- sluis-engine/2", "engines: sluis-engine/1"),
        ("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE----"),
        ("  -----END CERTIFICATE-----", "  AAAA\n  -----END CERTIFICATE-----"),
        ("log_keys:\n- sluis", "log_keys:\n- sluys"),
        ("log_keys:", "log_keys: []\nother:"),
    ],
)
def test_what_is_not_a_trust_file_is_refused(old: str, new: str) -> None:
    changed = TEXT.replace(old, new, 1)
    assert changed != TEXT
    with pytest.raises(SluisError) as caught:
        parse_trust(changed)
    assert caught.value.code is Code.CONFIG_INVALID
    assert caught.value.message.startswith("trust.yaml:")


def test_without_signers_only_in_test() -> None:
    assert WORLD.trust(policy_signers=[], policy_quorum=0).policy_quorum == 0
    with pytest.raises(SluisError):
        WORLD.trust(policy_signers=[], policy_quorum=0, environment="production")


@pytest.mark.parametrize("text", ["", "[]", "a", "{", "\x00", "origin: &a b"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SluisError):
        parse_trust(text)
