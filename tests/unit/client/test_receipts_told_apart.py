"""Bad receipts files of each kind, of asker and answerer: what is wrong is told apart, in words and for programs."""

import base64
import copy
import json

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from desk import Desk
from fake_broker import Log, World
from sluis_client.canonical import canonical_json, parse_canonical
from sluis_client.errors import Exit


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    """utrecht and someren have asked snf; the files of all three are there."""
    desk = Desk(World(tmp_path), monkeypatch, capsys)
    desk.ready()
    desk.run("someren", "keys", "init")
    desk.run("snf", "keys", "create", "--purpose", "snf-locatie")
    for party in ("utrecht", "someren"):
        question = ("--purpose", "snf-locatie", "--scheme", "bag", "--answerer", "snf", "--want", "beds")
        desk.run(party, "match", "addresses.csv", *question, "--out", f"{party}.csv")
    desk.run("snf", "receipts", "fetch", "--out", "snf.json")
    return desk


def read(desk, name):
    return json.loads((desk.world.directory / name).read_text())


def altered_leaf(receipt, **changes):
    entry = parse_canonical(base64.b64decode(receipt["leaf"]))
    receipt["leaf"] = base64.b64encode(canonical_json({**entry, **changes})).decode()


def in_log(receipt, leaf, *, key=None, index=None):
    """A receipt of `leaf` in another log: signed by `key`, or by nobody the profile knows."""
    log = Log(key or Ed25519PrivateKey.generate())
    log.leaves = [b"x"] * (receipt["index"] if index is None else index)
    log.leaves.append(base64.b64decode(leaf))
    made = log.receipt(len(log.leaves) - 1)
    nodes = [base64.b64encode(node).decode() for node in made.inclusion]
    return {**receipt, "leaf": leaf, "inclusion": nodes, "checkpoint": made.checkpoint}


def wrong_log(receipt, _):
    receipt["checkpoint"] = receipt["checkpoint"].replace("sluis.example/fake", "sluis.example/other")


def wrong_key(receipt, _):
    receipt.update(in_log(receipt, receipt["leaf"]))


def unsigned(receipt, _):
    receipt["checkpoint"] = receipt["checkpoint"].split("\n\n")[0] + "\n\n"


def checkpoint_altered(receipt, _):
    lines = receipt["checkpoint"].split("\n")
    lines[1] = str(int(lines[1]) + 1)
    receipt["checkpoint"] = "\n".join(lines)


def entry_altered(receipt, _):
    altered_leaf(receipt, sequenced_at="2026-11-23T10:00:00.000002Z")


def entry_cut(receipt, _):
    receipt["leaf"] = base64.b64encode(base64.b64decode(receipt["leaf"])[:-1]).decode()


def entry_with_more(receipt, _):
    altered_leaf(receipt, more=1)


def proof_altered(receipt, _):
    receipt["inclusion"][-1] = base64.b64encode(bytes(32)).decode()


def proof_of_neighbour(receipt, log):
    receipt["inclusion"] = [base64.b64encode(n).decode() for n in log.receipt(receipt["index"] ^ 1).inclusion]
    receipt["checkpoint"] = log.checkpoint()


def proof_of_another_in_the_file(receipt, log):
    other = log.receipt(receipt["index"] + 1 if receipt["index"] % 2 else receipt["index"] ^ 1)
    receipt["inclusion"], receipt["checkpoint"] = (
        [base64.b64encode(n).decode() for n in other.inclusion],
        other.checkpoint,
    )


def proof_too_long(receipt, _):
    receipt["inclusion"].append(receipt["inclusion"][0])


def index_of_another(receipt, _):
    receipt["index"] += 1


KINDS = {
    "wrong-log": [wrong_log],
    "wrong-key": [wrong_key],
    "form": [unsigned],
    "checkpoint-altered": [checkpoint_altered],
    "entry-altered": [entry_altered, entry_cut, entry_with_more, proof_altered],
    "other-entry": [proof_of_neighbour, proof_of_another_in_the_file, proof_too_long, index_of_another],
}
WORDS = {
    "wrong-log": "is of another log, sluis.example/other",
    "wrong-key": "none of the log keys in your profile signed it",
    "form": "its checkpoint is not a signed note",
    "checkpoint-altered": "its checkpoint was altered after it was signed",
    "entry-altered": "altered",
    "other-entry": "entry",
}


def refused(desk, party, value, why, words=""):
    path = desk.world.directory / "bad.json"
    path.write_text(json.dumps(value))
    told = desk.json(party, "receipt", "verify", path.name, expect=Exit.VERIFICATION_FAILED)
    assert (told["verified"], told["why"]) == (False, why), told
    assert words in told["message"], told
    assert desk.err.count("\n") == 1
    desk.run(party, "receipt", "verify", path.name, expect=Exit.VERIFICATION_FAILED)
    assert desk.err == f"error {told['code']}: {told['message']}\n"


@pytest.mark.parametrize("why", KINDS)
def test_each_fault_of_a_receipt_is_told_apart_at_both_sides(desk, why):
    transports = len(desk.transports)
    for spoil in KINDS[why]:
        held = read(desk, "utrecht.csv.receipts.json")
        for part in ("ask", "release"):
            value = copy.deepcopy(held)
            spoil(value["answers"][0][part], desk.world.broker.log)
            assert value != held
            refused(desk, "utrecht", value, why, WORDS[why])
        value = read(desk, "snf.json")
        spoil(value["receipts"][1], desk.world.broker.log)
        refused(desk, "snf", value, why, WORDS[why])
    assert len(desk.transports) == transports, "offline"


def test_exchanges_of_others_are_not_ours(desk):
    for party, name in (("someren", "utrecht.csv.receipts.json"), ("utrecht", "someren.csv.receipts.json")):
        refused(desk, party, read(desk, name), "not-ours", "between others")
    refused(desk, "utrecht", read(desk, "snf.json"), "not-ours", "not of utrecht")
    # whoever checks for another says whose they must be
    out = desk.run("utrecht", "receipt", "verify", "someren.csv.receipts.json", "--party", "someren")
    assert out.splitlines()[-1] == "verified"
    assert desk.run("someren", "receipt", "verify", "snf.json", "--party", "snf").splitlines()[-1] == "verified"


def test_a_principal_s_exchange_is_its_own(desk):
    log = desk.world.broker.log
    ask = {**parse_canonical(log.leaves[-2])["body"], "principal": "utrecht"}
    asked = log.append("ask", ask)
    released = log.append("release", {**parse_canonical(log.leaves[-2])["body"], "ask_index": asked})
    receipts = [
        {
            "leaf": base64.b64encode(one.leaf).decode(),
            "index": one.index,
            "inclusion": [base64.b64encode(node).decode() for node in one.inclusion],
            "checkpoint": one.checkpoint,
        }
        for one in (log.receipt(asked), log.receipt(released))
    ]
    path = desk.world.directory / "principal.json"
    path.write_text(json.dumps({"format": "sluis-client/receipts/1", "receipts": receipts}))
    assert desk.run("utrecht", "receipt", "verify", path.name).splitlines()[-1] == "verified"
    # alone, a release does not name who it was asked for
    refused(desk, "utrecht", {"format": "sluis-client/receipts/1", "receipts": receipts[1:]}, "not-ours")


def test_a_question_signed_with_another_organisation_s_certificate(desk):
    """Somebody else's certificate under our name: the log's entry fits it, our profile does not."""
    path = desk.world.directory / "utrecht" / "sluis-client.yaml"
    profile = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**profile, "certificate": "../someren/own.pem"}))
    refused(desk, "utrecht", read(desk, "utrecht.csv.receipts.json"), "not-ours", "certificate of another organisation")
    path.write_text(yaml.safe_dump({**profile, "certificate": "gone.pem"}))
    assert desk.run("utrecht", "receipt", "verify", "utrecht.csv.receipts.json").splitlines()[-1] == "verified"
    assert "cannot be read" in desk.err


def test_contents_that_do_not_fit(desk):
    mine, others = read(desk, "utrecht.csv.receipts.json"), read(desk, "someren.csv.receipts.json")
    swapped = copy.deepcopy(mine)
    swapped["answers"][0]["ask"] = others["answers"][0]["ask"]
    refused(desk, "utrecht", swapped, "other-contents", "another statement than the one you signed")
    swapped = copy.deepcopy(mine)
    swapped["answers"][0]["release"] = others["answers"][0]["release"]
    refused(desk, "utrecht", swapped, "other-contents", "its release entry says something else of exchange")
    swapped = copy.deepcopy(mine)
    swapped["answers"][0]["result"] = others["answers"][0]["result"]
    refused(desk, "utrecht", swapped, "other-contents", "not the one that the log commits to")
    swapped = copy.deepcopy(mine)
    swapped["answers"][0]["status"] = "NO_REGISTER"
    refused(desk, "utrecht", swapped, "other-contents", "something else of status")
    desk.publish()
    desk.match("--want", "beds", "--new")
    swapped = copy.deepcopy(mine)
    swapped["answers"][0]["manifest"] = read(desk, "answers.csv.receipts.json")["answers"][0]["manifest"]
    refused(desk, "utrecht", swapped, "other-contents", "not the one that the log names")
    swapped = copy.deepcopy(mine)
    swapped["answers"][0]["manifest"]["signature"] = swapped["question"]["signature"]
    refused(desk, "utrecht", swapped, "signature")
