import pytest
from fake_broker import ORIGIN, World, transport_of
from sluis_client.canonical import parse_canonical
from sluis_client.custody import create_epoch, epoch_key, fetch_epoch, init_encryption_key
from sluis_client.errors import ClientError, Exit
from sluis_client.pseudonymise import Context, key_id


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_key_travels_from_steward_to_participant(world):
    snf, utrecht = world.participant("snf"), world.participant("utrecht")
    init_encryption_key(utrecht)
    init_encryption_key(snf)
    created = create_epoch(snf, "snf-locatie")
    assert (created.recipients, created.waiting, created.changed) == (("snf", "utrecht"), ("someren",), True)
    fetched = fetch_epoch(utrecht, "snf-locatie")
    assert fetched.key == created.key.key
    assert fetched.epoch == "2026Q4"
    again = world.participant("utrecht")
    assert epoch_key(again, again.purpose("snf-locatie"))[1] == fetched
    assert "epoch" not in transport_of(again).calls


def test_making_the_key_again_adds_who_came_later_and_else_changes_nothing(world):
    snf, someren = world.participant("snf"), world.participant("someren")
    init_encryption_key(snf)
    first = create_epoch(snf, "snf-locatie")
    entries = len(world.broker.log.leaves)
    assert not create_epoch(world.participant("snf"), "snf-locatie").changed
    assert len(world.broker.log.leaves) == entries
    init_encryption_key(someren)
    second = create_epoch(world.participant("snf"), "snf-locatie")
    assert second.changed
    assert second.recipients == ("snf", "someren")
    assert second.key.key == first.key.key
    assert fetch_epoch(someren, "snf-locatie").key == first.key.key


def test_a_steward_cut_off_while_publishing_goes_on_with_the_same_key(world):
    snf = world.participant("snf")
    init_encryption_key(snf)
    transport_of(snf).fail["publish_epoch"] = [ClientError("BROKER_UNREACHABLE", "x", Exit.BROKER_UNREACHABLE)]
    with pytest.raises(ClientError):
        create_epoch(snf, "snf-locatie")
    kept = snf.keystore.epoch_key("snf-locatie", "2026Q4")
    assert not kept.published
    created = create_epoch(world.participant("snf"), "snf-locatie")
    assert created.key.key == kept.key
    assert created.key.published


def test_a_steward_that_lost_its_state_recovers_the_key_from_its_envelope(world):
    snf = world.participant("snf")
    own = init_encryption_key(snf)
    first = create_epoch(snf, "snf-locatie")
    (snf.keystore.directory / "epochs" / "snf-locatie.2026Q4").unlink()
    again = create_epoch(world.participant("snf"), "snf-locatie")
    assert again.key.key == first.key.key
    assert own.digest == world.participant("snf").keystore.encryption_key().digest


def test_a_renewed_encryption_key_opens_what_was_sealed_to_the_one_before(world):
    snf, utrecht = world.participant("snf"), world.participant("utrecht")
    init_encryption_key(snf)
    old = init_encryption_key(utrecht)
    create_epoch(snf, "snf-locatie")
    assert init_encryption_key(utrecht).digest == old.digest
    assert init_encryption_key(utrecht, renew=True).digest != old.digest
    assert fetch_epoch(utrecht, "snf-locatie").key_id
    assert utrecht.keystore.destroy_epoch_key("snf-locatie", "2026Q4")
    assert utrecht.keystore.destroy_replaced_encryption_key(old.digest)
    with pytest.raises(ClientError) as caught:
        fetch_epoch(utrecht, "snf-locatie")
    assert caught.value.code == "EPOCH_REFUSED"
    create_epoch(world.participant("snf"), "snf-locatie")
    assert fetch_epoch(utrecht, "snf-locatie").key_id


def test_only_the_steward_of_the_verified_policy_makes_a_key(world):
    utrecht = world.participant("utrecht")
    init_encryption_key(utrecht)
    with pytest.raises(ClientError) as caught:
        create_epoch(utrecht, "snf-locatie")
    assert caught.value.code == "NOT_STEWARD"


def test_an_encryption_key_is_needed_first(world):
    with pytest.raises(ClientError) as caught:
        create_epoch(world.participant("snf"), "snf-locatie")
    assert caught.value.code == "ENCRYPTION_KEY_MISSING"
    assert "keys init" in caught.value.message


def test_a_broker_that_swaps_a_partys_key_is_found_out(world):
    snf, utrecht, someren = (world.participant(name) for name in ("snf", "utrecht", "someren"))
    for one in (snf, utrecht, someren):
        init_encryption_key(one)
    # the broker shows someren's key, certificate and all, as utrecht's
    keys, certificates = world.broker.keys, world.broker.certificates
    keys["utrecht"] = keys["someren"]
    with pytest.raises(ClientError) as caught:
        create_epoch(snf, "snf-locatie")
    assert caught.value.code == "SIGNATURE_WRONG"
    certificates["utrecht"] = certificates["someren"]
    with pytest.raises(ClientError) as caught:
        create_epoch(world.participant("snf"), "snf-locatie")
    assert caught.value.code == "CERTIFICATE_WRONG"
    assert caught.value.exit_code is Exit.VERIFICATION_FAILED


@pytest.mark.parametrize("change", [{"origin": "sluis.example/other"}, {"environment": "production"}, {"party": "snf"}])
def test_a_partys_key_of_another_log_environment_or_name_is_refused(world, change):
    """Signed by the right party with the right certificate, but said of something else."""
    snf, utrecht = world.participant("snf"), world.participant("utrecht")
    init_encryption_key(snf)
    own = init_encryption_key(utrecht)
    world.broker.keys["utrecht"] = utrecht.key.sign(parse_canonical(own.statement.statement) | change)
    with pytest.raises(ClientError) as caught:
        create_epoch(snf, "snf-locatie")
    assert (caught.value.code, caught.value.exit_code) == ("STATEMENT_INVALID", Exit.VERIFICATION_FAILED)


def test_a_second_key_shown_for_an_epoch_is_refused(world, tmp_path):
    snf, utrecht = world.participant("snf"), world.participant("utrecht")
    init_encryption_key(snf)
    init_encryption_key(utrecht)
    create_epoch(snf, "snf-locatie")
    fetch_epoch(utrecht, "snf-locatie")
    (snf.keystore.directory / "epochs" / "snf-locatie.2026Q4").unlink()
    world.broker.epochs.clear()
    create_epoch(world.participant("snf"), "snf-locatie")
    with pytest.raises(ClientError) as caught:
        fetch_epoch(world.participant("utrecht"), "snf-locatie")
    assert (caught.value.code, caught.value.exit_code) == ("KEY_ID_WRONG", Exit.VERIFICATION_FAILED)


@pytest.mark.parametrize("told", [True, False])
def test_of_two_stewards_that_make_a_key_at_once_both_go_on_with_the_one_that_was_published(world, monkeypatch, told):
    first, second = world.participant("snf"), world.participant("snf")
    init_encryption_key(first)
    publish = first.transport.publish_epoch

    def late(*published):
        # another run of this agency, on a machine of its own, is done before this one's manifest arrives
        elsewhere = world.participant("snf")
        with monkeypatch.context() as patched:
            patched.setattr(elsewhere.keystore, "epoch_key", lambda *_: None)
            patched.setattr(elsewhere.keystore, "keep_epoch_key", made.append)
            create_epoch(elsewhere, "snf-locatie")
        if not told:
            raise ClientError("BROKER_UNREACHABLE", "x", Exit.BROKER_UNREACHABLE)
        return publish(*published)

    made = []
    monkeypatch.setattr(first.transport, "publish_epoch", late)
    if told:
        assert create_epoch(first, "snf-locatie").key.key_id == made[0].key_id
    else:
        with pytest.raises(ClientError):
            create_epoch(first, "snf-locatie")
        assert fetch_epoch(second, "snf-locatie").key == made[0].key
    assert create_epoch(second, "snf-locatie").key.key == made[0].key
    assert second.keystore.epoch_key("snf-locatie", "2026Q4").published


def test_a_steward_never_adds_recipients_to_a_key_that_is_not_its_own(world):
    snf = world.participant("snf")
    init_encryption_key(snf)
    create_epoch(snf, "snf-locatie")
    first = (snf.keystore.directory / "epochs" / "snf-locatie.2026Q4").read_bytes()
    (snf.keystore.directory / "epochs" / "snf-locatie.2026Q4").unlink()
    world.broker.epochs.clear()
    create_epoch(world.participant("snf"), "snf-locatie")
    (snf.keystore.directory / "epochs" / "snf-locatie.2026Q4").write_bytes(first)
    entries = len(world.broker.log.leaves)
    with pytest.raises(ClientError) as caught:
        create_epoch(world.participant("snf"), "snf-locatie")
    assert (caught.value.code, caught.value.exit_code) == ("KEY_ID_WRONG", Exit.KEY_TROUBLE)
    assert len(world.broker.log.leaves) == entries


def test_a_broker_that_cannot_be_asked_is_no_reason_to_make_a_key(world):
    snf = world.participant("snf")
    init_encryption_key(snf)
    transport_of(snf).fail["epoch"] = [ClientError("STORE_UNAVAILABLE", "x", Exit.BROKER_UNREACHABLE)]
    with pytest.raises(ClientError):
        create_epoch(snf, "snf-locatie")
    assert snf.keystore.epoch_keys() == ()
    assert world.broker.epochs == {}


def test_a_receipt_of_something_else_is_refused(world):
    snf = world.participant("snf")
    transport_of(snf).bend["publish_encryption_key"] = lambda _: world.broker.log.receipt(0)
    with pytest.raises(ClientError) as caught:
        init_encryption_key(snf)
    assert caught.value.code == "RECEIPT_BROKEN"


def test_the_key_of_a_purpose_about_persons_is_one_of_mode_oblivious(world):
    snf = world.participant("snf")
    init_encryption_key(snf)
    key = create_epoch(snf, "persons").key
    assert key.key_id == key_id(key.key, Context(ORIGIN, "test", "persons", "2026-11", "oblivious"))
    assert key.key_id != key_id(key.key, Context(ORIGIN, "test", "persons", "2026-11"))


def test_an_ended_epoch_gets_no_key(world):
    snf = world.participant("snf")
    init_encryption_key(snf)
    with pytest.raises(ClientError) as caught:
        create_epoch(snf, "snf-locatie", "2026Q3")
    assert caught.value.code == "EPOCH_INVALID"
