"""What was in force when: from a log's lines alone, with signers, approvals, notices, and a proof."""

from __future__ import annotations

import base64
from datetime import timedelta
from itertools import pairwise

import pytest
from audit_kit import OFFICERS, World, played, policy_bundle

from broker.audit.in_force import PolicyHistory
from broker.audit.tree import hash_leaf, path_to, root_from_path
from broker.errors import Code, SluisError

PURPOSE = "snf-locatie"


def changed() -> World:
    """A log under three sets, with two notices."""
    world = played()
    world.suspend(PURPOSE, OFFICERS.keys["snf"])
    for revision in (2, 3):
        bundle = policy_bundle(revision=revision, note=f"revision {revision}", approved=revision == 2)
        world.archive.append(bundle)
        world.batch(("policy", world.policy_entry(bundle)))
    world.suspend(PURPOSE)
    return world


WORLD = changed()
HISTORY = PolicyHistory(WORLD.bundle())
EVER = (WORLD.times[0], WORLD.at + timedelta(days=1))


def test_every_text_with_its_period_signers_and_approvals():
    found = list(HISTORY.in_force(PURPOSE, *EVER))
    assert [one.archived.revision for one in found] == [1, 2, 3]
    assert [one.since for one in found[1:]] == [one.until for one in found[:-1]]
    assert found[-1].until is None
    assert [one.sides.complete for one in found] == [True, True, False]
    assert all(one.text == one.archived.texts[f"purposes/{PURPOSE}.yaml"] for one in found)
    assert len(found[0].archived.roles) == 2
    assert set(found[0].archived.roles.values()) == {"asking side"}
    assert [len(one.suspended) for one in found] == [1, 1, 2]
    assert found[0].suspended[0].reason == "a complaint"


def test_only_what_was_in_force_in_the_period():
    one, two, three = HISTORY.in_force(PURPOSE, *EVER)
    tick = timedelta(microseconds=1)
    assert list(HISTORY.in_force(PURPOSE, one.since - timedelta(days=1), one.since)) == []
    for text, after in pairwise((one, two, three)):
        at = after.since
        assert [x.index for x in HISTORY.in_force(PURPOSE, at - tick, at)] == [text.index]
        assert [x.index for x in HISTORY.in_force(PURPOSE, at, at + tick)] == [after.index]
        assert [x.index for x in HISTORY.in_force(PURPOSE, at - tick, at + tick)] == [text.index, after.index]
    before_the_notice = list(HISTORY.in_force(PURPOSE, one.since, one.since + tick))
    assert before_the_notice[0].suspended == ()
    assert list(HISTORY.in_force("no-purpose", *EVER)) == []
    assert PURPOSE in HISTORY.purposes()


def test_the_proof_leads_to_the_last_checkpoint():
    for one in HISTORY.in_force(PURPOSE, *EVER):
        receipt = HISTORY.receipt(one.index)
        root = base64.b64decode(receipt["checkpoint"].splitlines()[2])
        path = [base64.b64decode(item) for item in receipt["inclusion"]]
        leaf = base64.b64decode(receipt["leaf"])
        assert root_from_path(leaf, one.index, HISTORY.size, path) == root
        assert root_from_path(leaf + b" ", one.index, HISTORY.size, path) != root


@pytest.mark.parametrize("size", range(1, 20))
def test_paths_of_every_leaf_of_small_trees(size):
    leaves = [bytes([n]) for n in range(size)]
    hashes = [hash_leaf(leaf) for leaf in leaves]
    roots = {root_from_path(leaf, n, size, path_to(hashes, n)) for n, leaf in enumerate(leaves)}
    assert len(roots) == 1
    assert None not in roots


def test_a_set_that_the_bundle_lacks_is_told():
    world = changed()
    del world.archive[1]
    with pytest.raises(SluisError) as raised:
        list(PolicyHistory(world.bundle()).in_force(PURPOSE, *EVER))
    assert raised.value.code is Code.POLICY_INVALID


@pytest.mark.parametrize("lines", [[b"{}\n"], [b"rubbish\n"], [b'{"leaf":"!"}\n'], [b"[]\n"]])
def test_what_is_no_bundle_is_refused(lines):
    with pytest.raises(SluisError) as raised:
        PolicyHistory(lines)
    assert raised.value.code is Code.CONFIG_INVALID
