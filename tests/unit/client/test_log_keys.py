"""A log whose key changes: a client takes no key from the broker, and none back that was retired."""

from __future__ import annotations

import pytest
import yaml
from fake_broker import World
from sluis_client.errors import ClientError, Exit


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def keys_of(world, party, keys):
    path = world.directory / party / "sluis-client.yaml"
    document = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**document, "log_keys": keys}))


def grow(world):
    world.broker.log.append("access", {"party": "nla", "what": "entries", "exchange": None})


def test_a_client_that_was_not_told_of_the_new_key_refuses_it_plainly(world):
    grow(world)
    world.participant("utrecht").newest_checkpoint()
    world.broker.log.change_key()
    grow(world)
    with pytest.raises(ClientError) as caught:
        world.participant("utrecht").newest_checkpoint()
    assert (caught.value.code, caught.value.exit_code) == ("RECEIPT_BROKEN", Exit.VERIFICATION_FAILED)
    assert "ask for it by another way than the broker" in caught.value.message


def test_once_told_it_goes_on_and_the_kept_checkpoint_still_counts(world):
    grow(world)
    old = world.broker.log.vkey
    before, _ = world.participant("utrecht").newest_checkpoint()
    world.broker.log.change_key()
    grow(world)
    keys_of(world, "utrecht", [old, world.broker.log.vkey])
    after, _ = world.participant("utrecht").newest_checkpoint()
    assert (before.key, after.key, after.size) == (0, 1, before.size + 1)


def test_a_retired_key_signs_nothing_more(world):
    grow(world)
    old_key, old = world.broker.log.key, world.broker.log.vkey
    world.broker.log.change_key()
    grow(world)
    keys_of(world, "utrecht", [old, world.broker.log.vkey])
    kept, _ = world.participant("utrecht").newest_checkpoint()
    world.broker.log.change_key(old_key)
    grow(world)
    with pytest.raises(ClientError) as caught:
        world.participant("utrecht").newest_checkpoint()
    assert (caught.value.code, caught.value.exit_code) == ("LOG_KEY_RETIRED", Exit.VERIFICATION_FAILED)
    assert f"over {kept.size + 1} entries" in caught.value.message
    assert "oldest first" in caught.value.message


def test_keys_in_the_wrong_order_are_told_so_too(world):
    grow(world)
    old = world.broker.log.vkey
    keys_of(world, "utrecht", [old])
    world.participant("utrecht").newest_checkpoint()
    world.broker.log.change_key()
    grow(world)
    keys_of(world, "utrecht", [world.broker.log.vkey, old])
    with pytest.raises(ClientError) as caught:
        world.participant("utrecht").newest_checkpoint()
    assert caught.value.code == "LOG_KEY_RETIRED"
