"""Key services in a policy: points that are none, what an approval covers, what a change is, and old digests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lint_plants import PINNED, POINTS
from policy_samples import load, texts
from sluis_client.approvals import purpose_digest as digest_of_client

from broker.policy.approvals import purpose_digest, purpose_meaning
from broker.policy.change_report import compare
from broker.policy.difference import Section
from broker.policy.ristretto_points import is_element

NAME = "nla-verzoek-persoon"
P04 = f"purposes/{NAME}.yaml"
ENCODINGS = json.loads((Path(__file__).parents[2] / "vectors" / "ristretto255.json").read_text(encoding="utf-8"))


def pinned(*edits: tuple[str, str], catalogue: tuple[str, str] = ("", "")):
    """The samples with one person purpose active and its keys of one month pinned, and changes."""
    source = texts()
    text = source[P04].replace("state: draft", "state: active\ndpia: DPIA-SAMPLE-04")
    text = text.replace("key_services: [oost, sluis]", PINNED)
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    assert catalogue[0] in source["catalogue.yaml"]
    return load(source | {P04: text, "catalogue.yaml": source["catalogue.yaml"].replace(*catalogue)})


@pytest.mark.parametrize("encoding", ENCODINGS["multiples_of_the_generator"])
def test_a_multiple_of_the_generator_is_an_element(encoding):
    assert is_element(bytes.fromhex(encoding)) == (set(encoding) != {"0"})


@pytest.mark.parametrize("encoding", ENCODINGS["bad"])
def test_what_decodes_to_nothing_is_none(encoding):
    assert not is_element(bytes.fromhex(encoding))


@given(st.binary(min_size=0, max_size=33))
def test_any_bytes_are_judged(raw):
    assert is_element(raw) in (True, False)
    assert len(raw) == 32 or not is_element(raw)


def test_services_stand_in_the_order_of_their_ids():
    turned = pinned(("[oost, sluis]", "[sluis, oost]"))
    assert turned.purposes[NAME].pseudonyms.key_services == ("oost", "sluis")
    assert turned.digest == pinned().digest


def test_a_purpose_without_them_means_what_it_meant():
    meaning = load().meaning["purposes"]["snf-locatie"]
    assert not {"key_services", "public_keys"} & meaning["pseudonyms"].keys()
    assert set(meaning["limits"]) == {"subjects_per_request", "requests_per_day"}
    assert "key_services" not in purpose_meaning(load(), "snf-locatie")


@pytest.mark.parametrize(
    ("edit", "catalogue"),
    [
        ((POINTS[0], "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259"), ("", "")),
        (("evaluations_per_epoch: 5000", "evaluations_per_epoch: 5001"), ("", "")),
        (("", ""), ("operator: sleuteldienst-oost", "operator: rvig")),
        (("", ""), ("00000099000000601000", "00000099000000602000")),
    ],
    ids=["another key", "more evaluations", "another operator", "another OIN of the operator"],
)
def test_an_approval_covers_keys_limits_and_operators(edit, catalogue):
    before, after = pinned(), pinned(edit, catalogue=catalogue)
    assert purpose_digest(before, NAME) != purpose_digest(after, NAME)
    for policies in (before, after):
        assert purpose_digest(policies, NAME) == digest_of_client(policies.meaning, NAME)


@pytest.mark.parametrize(
    ("edit", "section", "words"),
    [
        (
            (POINTS[0], "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259"),
            Section.TO_COMPARE,
            "other keys",
        ),
        (("evaluations_per_epoch: 5000", "evaluations_per_epoch: 5001"), Section.LOOSER, "5000 -> 5001"),
        (("evaluations_per_epoch: 5000", "evaluations_per_epoch: 4999"), Section.TIGHTER, "5000 -> 4999"),
        (
            ("register_evaluations_per_epoch: 250000", "register_evaluations_per_epoch: 250001"),
            Section.LOOSER,
            "register",
        ),
    ],
)
def test_a_change_of_them_is_told_where_it_belongs(edit, section, words):
    told = [sentence.text for sentence in compare(pinned(), pinned(edit)).sections[section]]
    assert any(words in text for text in told), told


@settings(max_examples=50)
@given(st.integers(1, 10**9 - 1), st.none() | st.integers(1, 10**9 - 1))
def test_who_answers_may_have_more_evaluated_than_who_asks(asking, answering):
    purpose = load().purposes[NAME]
    limits = purpose.limits.model_copy(
        update={"evaluations_per_epoch": asking, "register_evaluations_per_epoch": answering}
    )
    bent = purpose.model_copy(update={"limits": limits})
    assert bent.evaluation_limit("nla") == asking
    assert bent.evaluation_limit("uwv") == (answering or asking)
