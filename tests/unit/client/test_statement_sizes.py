"""Every municipality in one exchange: what the client builds for 400 parties, the broker reads and the log holds."""

import base64
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from audit_kit import SIGNERS, World, public
from sluis.v1 import common_pb2, keys_pb2
from sluis_client.canonical import canonical_json
from sluis_client.envelopes import check_epoch, generate_encryption_key, make_epoch, open_envelope, short_digest
from sluis_client.epochs import epoch_window
from sluis_client.policy import SignedPolicy
from sluis_client.pseudonymise import Context
from sluis_client.statement_shapes import ASK, EPOCH, check_members
from sluis_client.statements import MAX_STATEMENT_BYTES, ask_statement, epoch_statement

from broker.audit.entries import read_entry
from broker.errors import Code, SluisError
from broker.exchange import Want
from broker.exchange_log.entry import MAX_LEAF_BYTES, build_leaf, parse_leaf, parse_time
from broker.parties import Environment
from broker.policy.bundle import build_bundle, sign_bundle
from broker.rpc.interceptors import MAX_MESSAGE
from broker.statements import MAX_ANSWERERS, MAX_SIGNATURE_BYTES, Scope, Signed, read_ask, read_epoch

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
PURPOSE = "verhuurvergunning"
CONTEXT = Context("sluis.example/test-2026", "test", PURPOSE, "2026Q4")
SCOPE = Scope(CONTEXT.origin, Environment.TEST)
LONGEST = 63
LONGEST_ORIGIN = "o" * 101
LONGEST_SCOPE = Scope(LONGEST_ORIGIN, Environment.PRODUCTION)
LONGEST_SIGNATURE = base64.b64encode(bytes(MAX_SIGNATURE_BYTES)).decode()


def names(count, length):
    """Party names of one length, such as `gemeente-noordoostpo-007`, sorted."""
    stem = "gemeente-noordoostpolder-en-omstreken-aan-het-grote-ijsselmeer"
    found = [f"{stem[: length - 4]}-{number:03d}" for number in range(count)]
    assert {len(name) for name in found} == {length}
    return found


@cache
def bundle(length):
    """The sample purpose with 400 municipalities more."""
    folder = Path(__file__).parents[3] / "policies"
    files = ("catalogue.yaml", f"purposes/{PURPOSE}.yaml")
    texts = {file: (folder / file).read_text("utf-8") for file in files}
    municipalities = names(MAX_ANSWERERS, length)
    parties = "".join(
        f"  {name}: {{title: {{nl: Gemeente, en: Municipality}}, oin: 00000099000001{number:03d}000, kind: public}}\n"
        for number, name in enumerate(municipalities)
    )
    catalogue = texts["catalogue.yaml"]
    for old, new in (
        ("\nparties:\n", f"\nparties:\n{parties}"),
        ("\n  municipalities: [", f"\n  municipalities: [{', '.join(municipalities)}, "),
    ):
        assert catalogue.count(old) == 1
        catalogue = catalogue.replace(old, new)
    data = build_bundle(texts | {"catalogue.yaml": catalogue}, revision=1, expires=datetime(2027, 1, 1, tzinfo=UTC))
    return sign_bundle(data, SIGNERS[0], "asking side")


def ask_of(answerers, **changes):
    members = {
        "origin": CONTEXT.origin,
        "environment": "test",
        "request_id": "11111111-1111-4111-8111-111111111111",
        "asker": "nla",
        "principal": None,
        "answerers": answerers,
        "purpose": PURPOSE,
        "epoch": "2026Q4",
        "key_id": "cd" * 16,
        "scheme": "bag",
        "match_keys": 1,
        "hit": True,
        "count": False,
        "attributes": ["permit-status"],
        "subjects": 100,
        "tokens": "ab" * 32,
        "case_number": "ab" * 32,
        "cooperation_ref": "ab" * 32,
        "not_after": NOW,
    }
    statement = ask_statement(**(members | changes))
    check_members(statement, ASK)
    return statement


def longest_manifest(count, length):
    """A manifest whose other members are as long as docs/formats.md and the broker's settings allow."""
    return epoch_statement(
        origin=LONGEST_ORIGIN,
        environment="production",
        purpose="p" * LONGEST,
        epoch="2026Q4",
        mode="oblivious",
        key_id="cd" * 16,
        steward="s" * LONGEST,
        recipients=dict.fromkeys(names(count, length), ("ab" * 16, "cd" * 16)),
        valid_from=NOW,
        valid_until=NOW,
        created_at=NOW,
    )


def logged(kind, body, at=NOW):
    """The length of the entry, once the broker and the auditor's own reader have read it back."""
    leaf = build_leaf(2**53 - 1, kind, at, body)
    assert parse_leaf(leaf).body == read_entry(leaf).body == body
    return len(leaf)


def logged_epoch(statement, steward):
    signed = {"statement": statement, "signature": LONGEST_SIGNATURE, "certificate": "ab" * 32}
    return logged("key", {"action": "epoch", "party": steward, **signed})


def test_an_epoch_of_400_participants_from_the_steward_to_the_last_of_them():
    private = generate_encryption_key()
    digest = short_digest(b"an encryption-key statement")
    parties = [*names(399, 24), "nla"]
    recipients = dict.fromkeys(parties, (private.public_bytes(), digest))
    key, manifest, envelopes = make_epoch(CONTEXT, *epoch_window("2026Q4", "quarter"), "nla", recipients)
    check_members(manifest, EPOCH)
    raw = canonical_json(manifest)
    assert len(raw) <= MAX_STATEMENT_BYTES

    found = read_epoch(Signed(raw, b""), SCOPE)
    assert {name: (one.key, one.envelope) for name, one in found.recipients.items()} == {
        name: (digest, short_digest(envelopes[name])) for name in parties
    }
    assert logged_epoch(manifest, "nla") <= MAX_LEAF_BYTES
    signed = common_pb2.SignedStatement(statement=raw, signature=bytes(MAX_SIGNATURE_BYTES))
    sealed = [keys_pb2.Envelope(recipient=name, ciphertext=envelopes[name]) for name in parties]
    assert keys_pb2.PublishEpochRequest(manifest=signed, envelopes=sealed).ByteSize() <= MAX_MESSAGE

    policy = SignedPolicy.from_bundle(bundle(24), [public(SIGNERS[0])], 1, NOW, unsafe_skip_approvals=True)
    view = policy.purpose(PURPOSE)
    last = parties[-2]
    checked = {"envelope": envelopes[last], "now": NOW, "encryption_key_digest": digest}
    check_epoch(manifest, view, CONTEXT, party=last, **checked)
    assert open_envelope(private, CONTEXT, last, envelopes[last], found.key_id) == key


@pytest.mark.parametrize(("count", "length"), [(400, 29), (342, 50), (313, LONGEST)])
def test_the_bounds_that_the_formats_name(count, length):
    """docs/formats.md section 5: as many as it says; not one character in each name, or one name, more."""
    manifest = longest_manifest(count, length)
    raw = canonical_json(manifest)
    assert len(raw) - count * (92 + length) <= 522
    assert len(read_epoch(Signed(raw, b""), LONGEST_SCOPE).recipients) == count
    assert logged_epoch(manifest, "s" * LONGEST) <= MAX_LEAF_BYTES
    more = longest_manifest(count, length + 1) if length < LONGEST else longest_manifest(count + 1, length)
    with pytest.raises(SluisError) as refused:
        read_epoch(Signed(canonical_json(more), b""), LONGEST_SCOPE)
    assert refused.value.code is Code.FIELD_TOO_LONG


def test_whatever_fits_in_a_statement_fits_in_the_entry_of_an_epoch():
    manifest = longest_manifest(400, 29)
    manifest["origin"] += "o" * (MAX_STATEMENT_BYTES - len(canonical_json(manifest)))
    assert len(canonical_json(manifest)) == MAX_STATEMENT_BYTES
    assert logged_epoch(manifest, "s" * LONGEST) <= MAX_LEAF_BYTES


@pytest.mark.parametrize(("asker", "effect"), [("nla", "permit"), ("sna", "deny")])
@pytest.mark.parametrize("length", [24, LONGEST])
def test_an_ask_of_400_municipalities(length, asker, effect):
    """With the decisions that the policy really gives, and a register in force at every answerer."""
    answerers = names(MAX_ANSWERERS, length)
    statement = ask_of(answerers, asker=asker)
    raw = canonical_json(statement)
    assert read_ask(Signed(raw, b""), SCOPE).answerers == tuple(answerers)
    world = World(archive=[bundle(length)])
    for name in answerers:
        register = f"{name}/{PURPOSE}/2026Q4/bag"
        world.registers[register] = ({"name": register, "version": 2**53 - 1, "manifest": "ab" * 32}, {})
    want = Want(True, False, ("permit-status",))
    world.ask(asker, answerers, PURPOSE, want, subjects=100, case_number="NLA-2026-12345")
    (asks,) = world.batches
    assert [body["answerer"] for _, body in asks] == answerers
    for kind, body in asks[:: len(asks) - 1]:
        assert body["decision"]["effect"] == effect
        longest = body | {"statement": statement, "signature": LONGEST_SIGNATURE, "trace_id": "ab" * 16}
        assert logged(kind, longest, parse_time(body["decided_at"])) <= MAX_LEAF_BYTES


def test_the_longest_ask_there_is():
    """docs/formats.md section 5: under 34,000 bytes."""
    statement = ask_of(
        names(MAX_ANSWERERS, LONGEST),
        origin=LONGEST_ORIGIN,
        environment="production",
        asker="a" * LONGEST,
        principal="p" * LONGEST,
        purpose="p" * LONGEST,
        scheme="s" * LONGEST,
        match_keys=64,
        count=True,
        attributes=names(100, LONGEST),
        subjects=100_000_000,
    )
    raw = canonical_json(statement)
    assert read_ask(Signed(raw, b""), LONGEST_SCOPE).subjects == 100_000_000
    assert len(raw) < 34_000
