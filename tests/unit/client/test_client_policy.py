import copy
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from approving import Officers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sluis_client.approvals import Approval, purpose_digest
from sluis_client.canonical import canonical_json
from sluis_client.errors import ClientError, Exit
from sluis_client.policy import SignedPolicy

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
POLICIES = Path(__file__).parents[3] / "policies"
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 5)]
PUBLIC = [key.public_key().public_bytes_raw().hex() for key in KEYS]
OFFICERS = {name: Ed25519PrivateKey.from_private_bytes(name.ljust(32).encode()) for name in ("utrecht", "snf")}
MEANING = {
    "catalogue": {
        "parties": {
            "certifier": {"oin": "00000099000000104000", "sub_oins": []},
            "sna": {"oin": "00000099000000102000", "sub_oins": []},
            "snf": {"oin": "00000099000000103000", "sub_oins": []},
            "utrecht": {"oin": "00000099000000201000", "sub_oins": ["00000099000000202000"]},
        },
        "identifiers": {
            "bag": {"rows_per_pseudonym": 1, "match_keys": 1},
            "vestiging": {"rows_per_pseudonym": 50, "match_keys": 2},
        },
        "attributes": {
            "beds": {"width": 6, "type": "integer", "codes": {}, "holders": ["snf"]},
            "certificate-status": {
                "width": 16,
                "type": "code",
                "codes": {"geldig": {}, "geschorst": {}},
                "holders": ["snf"],
            },
        },
        "groups": {},
        "subject_types": {"location": {}},
        "legal_bases": {"covenant": {}},
        "guardrails": {},
    },
    "officers": {
        name: {"signs_for": [name], "key": key.public_key().public_bytes_raw().hex()} for name, key in OFFICERS.items()
    },
    "purposes": {
        "snf-locatie": {
            "state": "active",
            "about": "location",
            "identified_by": ["bag", "vestiging"],
            "weakest_match_key": None,
            "asks": ["utrecht"],
            "answers": ["snf"],
            "on_behalf_of": [{"processor": "sna", "principal": "certifier"}],
            "may_learn": {
                "hit": True,
                "count": None,
                "attributes": {"certificate-status": "because", "beds": "because"},
            },
            "pseudonyms": {"mode": "keyed", "epoch": "quarter", "steward": "snf"},
            "look_back": {"years": 2, "counted_from": "as-of"},
            "valid_on": "as-of",
            "exclude_natural_persons": True,
            "hit_only_if_natural_person": False,
            "case_number": "required",
            "cooperation_ref": None,
            "answer_keep_days": 92,
            "vault_keep_days": 730,
            "limits": {"subjects_per_request": 1000, "requests_per_day": 50},
            "legal_basis": "covenant",
            "dpia": None,
        }
    },
}
VIEWED = sorted(MEANING["purposes"]["snf-locatie"].keys() - {"legal_basis", "dpia"})


def digest(value):
    return hashlib.sha256(canonical_json(value)).hexdigest()


def approvals():
    """Both sides' approval of the purpose of MEANING."""
    made = []
    for name, key in sorted(OFFICERS.items()):
        unsigned = Approval("snf-locatie", name, purpose_digest(MEANING, "snf-locatie"), "2026-11-01", "")
        made.append(vars(replace(unsigned, signature=key.sign(unsigned.signed_bytes).hex())))
    return made


def bundle(meaning=MEANING, signers=(0, 1), change=None, **manifest):
    texts = {"catalogue.yaml": "catalogue: x\n"}
    head = {
        "digest": digest(meaning),
        "expires": "2027-01-01T00:00:00Z",
        "revision": 3,
        "text_digest": digest(texts),
        "type": "sluis/v1/policy-set",
    } | manifest
    message = b"sluis/v1/signed\n" + canonical_json(head)
    signatures = [{"key": PUBLIC[n], "role": "asking side", "signature": KEYS[n].sign(message).hex()} for n in signers]
    whole = {"manifest": head, "meaning": meaning, "signatures": signatures, "texts": texts, "approvals": approvals()}
    if change:
        change(whole)
    return canonical_json(whole)


def read(data, quorum=2, now=NOW, **options):
    return SignedPolicy.from_bundle(data, PUBLIC[:3], quorum, now, **options)


def test_a_bundle_signed_by_enough_people_is_read():
    policy = read(bundle())
    assert (policy.digest, policy.revision) == (digest(MEANING), 3)
    assert policy.expires == datetime(2027, 1, 1, tzinfo=UTC)
    assert policy.purposes() == ("snf-locatie",)
    assert policy.oin_of("snf") == "00000099000000103000"
    assert policy.oins_of("utrecht") == ("00000099000000201000", "00000099000000202000")
    # more signatures than needed, and one of a stranger
    assert read(bundle(signers=(0, 1, 2, 3))).digest == policy.digest
    assert SignedPolicy.from_bundle(bundle(), [key.upper() for key in PUBLIC], 2, NOW).digest == policy.digest


def test_key_services_with_their_keys_in_the_order_of_their_ids():
    key = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
    purpose = MEANING["purposes"]["snf-locatie"]
    pinned = {
        "mode": "oblivious",
        "key_services": ["sluis", "oost"],
        "public_keys": {"2026Q4": {"oost": key, "sluis": key}},
    }
    services = {
        "oost": {"operator": "snf", "title": {"nl": "Oost", "en": "East"}},
        "sluis": {"operator": "broker", "title": {"nl": "Tussenpersoon", "en": "Broker"}},
    }
    meaning = {
        **MEANING,
        "catalogue": {**MEANING["catalogue"], "key_services": services},
        "purposes": {"snf-locatie": {**purpose, "pseudonyms": {**purpose["pseudonyms"], **pinned}}},
    }
    view = read(bundle(meaning), unsafe_skip_approvals=True).purpose("snf-locatie")
    assert [(service.name, service.operator) for service in view.key_services] == [("oost", "snf"), ("sluis", "broker")]
    assert view.public_keys == {"2026Q4": {"oost": bytes.fromhex(key), "sluis": bytes.fromhex(key)}}
    for broken in ({"oost": "xy"}, {"oost": 7}):
        meaning["purposes"]["snf-locatie"]["pseudonyms"]["public_keys"] = {"2026Q4": broken}
        with pytest.raises(ClientError) as caught:
            read(bundle(meaning), unsafe_skip_approvals=True).purpose("snf-locatie")
        assert caught.value.code == "POLICY_INVALID"


def test_a_purpose_as_a_client_needs_it():
    view = read(bundle()).purpose("snf-locatie")
    assert view.participants == ("snf", "utrecht")
    assert (view.stewards[0], view.mode, view.epoch_kind, view.state) == ("snf", "keyed", "quarter", "active")
    assert (view.hit, view.count) == (True, False)
    assert list(view.attributes) == ["beds", "certificate-status"]
    assert view.attributes["beds"].width == 6
    assert view.attributes["certificate-status"].codes == ("geldig", "geschorst")
    assert view.rules == {
        "look_back_years": 2,
        "look_back_counted_from": "as-of",
        "valid_on": "as-of",
        "exclude_natural_persons": True,
    }
    assert view.rows_per_pseudonym("vestiging") == 50
    assert view.match_keys("vestiging") == 2
    assert replace(view, weakest_match_key=1).match_keys("vestiging") == 1
    assert replace(view, weakest_match_key=9).match_keys("vestiging") == 2
    assert (view.case_number_required, view.cooperation_ref_required) == (True, False)
    assert view.on_behalf_of == (("sna", "certifier"),)
    with pytest.raises(ClientError) as refused:
        view.rows_per_pseudonym("bsn")
    assert refused.value.code == "SCHEME_UNKNOWN"


def test_names_that_are_not_there():
    policy = read(bundle())
    for look_up, code in ((policy.oin_of, "PARTY_UNKNOWN"), (policy.purpose, "PURPOSE_UNKNOWN")):
        with pytest.raises(ClientError) as refused:
            look_up("nobody")
        assert refused.value.code == code
        assert "did you mean" not in refused.value.message
    with pytest.raises(ClientError) as refused:
        policy.purpose("snf-lokatie")
    assert refused.value.message == "snf-lokatie is no purpose of the policy set; did you mean snf-locatie?"
    with pytest.raises(ClientError) as refused:
        policy.demand_parties(["snf", "utrech"])
    assert refused.value.message == "utrech is no party of the policy set; did you mean utrecht?"


def changed(path, value):
    def change(whole):
        place = whole
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return lambda: bundle(copy.deepcopy(MEANING), change=change)


def flipped_signature(whole):
    text = whole["signatures"][1]["signature"]
    whole["signatures"][1]["signature"] = ("0" if text[0] != "0" else "1") + text[1:]


REFUSED = {
    "nobody signed": (lambda: bundle(signers=()), "POLICY_UNSIGNED"),
    "one of two signed": (lambda: bundle(signers=(0,)), "POLICY_UNSIGNED"),
    "one signed twice": (lambda: bundle(signers=(0, 0)), "POLICY_UNSIGNED"),
    "a stranger is the second": (lambda: bundle(signers=(0, 3)), "POLICY_UNSIGNED"),
    "a trusted signature is wrong": (lambda: bundle(signers=(0, 1, 2), change=flipped_signature), "POLICY_INVALID"),
    "a signature moved to another key": (changed(["signatures", 1, "key"], PUBLIC[2]), "POLICY_INVALID"),
    "a signature is no hex": (changed(["signatures", 0, "signature"], "zz"), "POLICY_INVALID"),
    "a signature is no text": (changed(["signatures", 0, "signature"], 1), "POLICY_INVALID"),
    "a signature has a member more": (changed(["signatures", 0, "more"], 1), "POLICY_INVALID"),
    "a signature is no object": (changed(["signatures", 0], "x"), "POLICY_INVALID"),
    "signatures are no list": (changed(["signatures"], {}), "POLICY_INVALID"),
    "the meaning was changed": (
        changed(["meaning", "purposes", "snf-locatie", "asks"], ["tilburg"]),
        "POLICY_INVALID",
    ),
    "the texts were changed": (changed(["texts", "catalogue.yaml"], "y"), "POLICY_INVALID"),
    "the manifest was changed": (changed(["manifest", "revision"], 4), "POLICY_INVALID"),
    "the manifest has a member more": (lambda: bundle(more=1), "POLICY_INVALID"),
    "another type": (lambda: bundle(type="sluis/v1/epoch"), "POLICY_INVALID"),
    "revision zero": (lambda: bundle(revision=0), "POLICY_INVALID"),
    "revision is no number": (lambda: bundle(revision=True), "POLICY_INVALID"),
    "no expiry": (lambda: bundle(expires=None), "POLICY_INVALID"),
    "no catalogue": (lambda: bundle({"purposes": {}}), "POLICY_INVALID"),
    "purposes are a list": (lambda: bundle({"catalogue": {}, "purposes": []}), "POLICY_INVALID"),
    "a member more": (changed(["more"], 1), "POLICY_INVALID"),
    "expired": (lambda: bundle(expires="2026-11-23T10:00:00Z"), "POLICY_EXPIRED"),
    "not canonical": (lambda: bundle() + b"\n", "STATEMENT_INVALID"),
    "empty": (lambda: b"", "STATEMENT_INVALID"),
}


@pytest.mark.parametrize(("make", "code"), REFUSED.values(), ids=REFUSED)
def test_bundles_that_are_refused(make, code):
    with pytest.raises(ClientError) as refused:
        read(make())
    assert (refused.value.code, refused.value.exit_code) == (code, Exit.VERIFICATION_FAILED)


def test_an_earlier_revision_is_refused():
    assert read(bundle(), lowest_revision=3).revision == 3
    with pytest.raises(ClientError) as refused:
        read(bundle(), lowest_revision=4)
    assert refused.value.code == "POLICY_REVISION_LOWER"


@pytest.mark.parametrize("quorum", [0, -1, 4])
def test_a_quorum_that_cannot_be_met_is_refused(quorum):
    with pytest.raises(ClientError) as refused:
        read(bundle(), quorum)
    assert refused.value.code == "USAGE"
    with pytest.raises(ClientError):
        SignedPolicy.from_bundle(bundle(), [PUBLIC[0], PUBLIC[0].upper()], 2, NOW)


@pytest.mark.parametrize("member", VIEWED)
def test_a_purpose_of_an_unknown_layout_is_refused_and_not_guessed(member):
    meaning = copy.deepcopy(MEANING)
    del meaning["purposes"]["snf-locatie"][member]
    with pytest.raises(ClientError) as refused:
        read(bundle(meaning), unsafe_skip_approvals=True).purpose("snf-locatie")
    assert refused.value.code == "POLICY_INVALID"


def test_the_client_reads_what_the_broker_publishes():
    built = pytest.importorskip("broker.policy.bundle")
    texts = {
        path.relative_to(POLICIES).as_posix(): path.read_text("utf-8")
        for path in [POLICIES / "catalogue.yaml", *sorted(POLICIES.glob("purposes/*.yaml"))]
    }
    officers = Officers()
    texts = officers.add_to(texts)
    expires = datetime(2027, 1, 1, tzinfo=UTC)
    data = built.build_bundle(texts, revision=5, expires=expires, approvals=officers.approve(texts))
    for key in KEYS[:2]:
        data = built.sign_bundle(data, key, "asking side")
    known = built.load_bundle(data, signers=PUBLIC[:3], quorum=2, now=NOW)

    policy = read(data)

    assert (policy.digest, policy.revision) == (known.digest, 5)
    assert policy.purposes() == tuple(sorted(known.purposes))
    assert len(policy.purposes()) > 10
    for name, purpose in known.purposes.items():
        view = policy.purpose(name)
        assert view.participants == known.participants(name)
        assert (view.asks, view.answers) == (purpose.asks, purpose.answers)
        assert view.rules == purpose.register_rules()
        assert view.stewards == purpose.pseudonyms.stewards
        assert (view.hit, view.count) == (purpose.may_learn.hit, purpose.may_learn.count is not None)
        assert {a: v.width for a, v in view.attributes.items()} == {
            a: known.catalogue.attributes[a].width for a in purpose.may_learn.attributes
        }
        assert all(
            view.rows_per_pseudonym(scheme) == known.catalogue.identifiers[scheme].rows_per_pseudonym
            for scheme in purpose.identified_by
        )
    for party, facts in known.catalogue.parties.items():
        assert policy.oins_of(party) == (facts.oin, *facts.sub_oins)
