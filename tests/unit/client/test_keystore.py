import os
import shutil
import stat
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sluis_client.envelopes import generate_encryption_key
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import EncryptionKey, EpochKey, Keystore
from sluis_client.private_files import sweep_half_written, write_private
from sluis_client.secret import Secret
from sluis_client.statements import SignedStatement
from sluis_custody import directory as module

FROM = datetime(2026, 9, 30, 22, tzinfo=UTC)


def epoch(key=b"k" * 32, key_id="ab" * 16, **changed):
    values = {
        "purpose": "snf-locatie",
        "epoch": "2026Q4",
        "key": Secret(key),
        "key_id": key_id,
        "steward": "snf",
        "valid_from": FROM,
        "valid_until": FROM + timedelta(days=92),
        "published": True,
    }
    return EpochKey(**values | changed)


@pytest.fixture
def store(tmp_path):
    return Keystore(tmp_path / "state")


def test_everything_is_readable_by_its_owner_only(store):
    store.keep_epoch_key(epoch())
    store.keep_encryption_key(EncryptionKey(generate_encryption_key(), SignedStatement(b"{}", b"s")))
    store.keep_checkpoint("note")
    store.keep_record("uploads", "a1", {"seed": "x"})
    store.fingerprint(b"x")
    store.keep_policy_revision(1)
    with store.checkpoint_lock():
        pass
    seen = 0
    for path in [store.directory, *store.directory.rglob("*")]:
        seen += 1
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert seen == 20


def test_keys_come_back_and_never_print(store):
    private = generate_encryption_key()
    store.keep_encryption_key(EncryptionKey(private, SignedStatement(b'{"a":1}', b"\x00\xff")))
    store.keep_epoch_key(epoch())
    again = Keystore(store.directory)
    found = again.encryption_key()
    assert found.private.reveal() == private.reveal()
    assert found.statement == SignedStatement(b'{"a":1}', b"\x00\xff")
    assert again.epoch_key("snf-locatie", "2026Q4") == epoch()
    assert again.epoch_keys() == (epoch(),)
    assert again.epoch_key("snf-locatie", "2027Q1") is None
    shown = repr(found) + repr(epoch()) + repr(again)
    assert private.reveal().hex() not in shown
    assert (b"k" * 32).hex() not in shown
    assert "kkkk" not in shown


def test_a_second_key_for_an_epoch_is_refused(store):
    store.keep_epoch_key(epoch(published=False))
    store.keep_epoch_key(epoch(published=True))
    assert store.epoch_key("snf-locatie", "2026Q4").published
    with pytest.raises(ClientError) as caught:
        store.keep_epoch_key(epoch(b"z" * 32, "cd" * 16))
    assert (caught.value.code, caught.value.exit_code) == ("KEY_ID_WRONG", Exit.VERIFICATION_FAILED)
    assert store.epoch_key("snf-locatie", "2026Q4").key_id == "ab" * 16


@pytest.mark.parametrize("mode", [0o710, 0o701, 0o750, 0o777])
def test_a_directory_that_others_can_enter_is_refused(store, mode):
    store.directory.chmod(mode)
    with pytest.raises(ClientError) as caught:
        Keystore(store.directory)
    assert (caught.value.code, caught.value.exit_code) == ("STATE_UNSAFE", Exit.KEY_TROUBLE)
    assert "chmod 700" in caught.value.message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_refused(store, mode):
    store.keep_epoch_key(epoch())
    (store.directory / "epochs" / "snf-locatie.2026Q4").chmod(mode)
    with pytest.raises(ClientError) as caught:
        store.epoch_key("snf-locatie", "2026Q4")
    assert caught.value.code == "STATE_UNSAFE"


def test_a_damaged_file_is_told_without_its_contents(store):
    path = store.directory / "epochs" / "snf-locatie.2026Q4"
    write_private(path, b'{"key": "5ec2e7"')
    with pytest.raises(ClientError) as caught:
        store.epoch_key("snf-locatie", "2026Q4")
    assert caught.value.code == "STATE_UNREADABLE"
    assert "5ec2e7" not in caught.value.message
    assert caught.value.__context__ is None


def test_a_write_that_fails_leaves_the_old_file(store, monkeypatch):
    store.keep_checkpoint("old")

    def broken(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", broken)
    with pytest.raises(ClientError) as caught:
        store.keep_checkpoint("new")
    assert caught.value.code == "STATE_UNREADABLE"
    monkeypatch.undo()
    assert store.checkpoint() == "old"
    assert sorted(path.name for path in store.directory.iterdir() if path.is_file()) == ["checkpoint"]


def test_a_write_is_synced_before_it_is_renamed(store, monkeypatch):
    order = []
    fsync, replace = os.fsync, module.Path.replace
    monkeypatch.setattr(module.os, "fsync", lambda handle: (order.append("fsync"), fsync(handle))[1])
    monkeypatch.setattr(module.Path, "replace", lambda self, target: (order.append("rename"), replace(self, target))[1])
    store.keep_checkpoint("x")
    assert order == ["fsync", "rename", "fsync"]


def test_the_policy_revision_only_rises(store):
    assert store.policy_revision() == 0
    store.keep_policy_revision(4)
    store.keep_policy_revision(3)
    assert store.policy_revision() == 4


def test_fingerprints_depend_on_a_key_that_stays_here(store, tmp_path):
    other = Keystore(tmp_path / "other")
    assert store.fingerprint(b"a", b"b") == Keystore(store.directory).fingerprint(b"a", b"b")
    assert store.fingerprint(b"a", b"b") != store.fingerprint(b"ab")
    assert store.fingerprint(b"a", b"b") != other.fingerprint(b"a", b"b")


def test_records_are_kept_by_name_oldest_first(store):
    for number, name in enumerate(("b", "a", "c")):
        store.keep_record("exchanges", name, {"n": number})
        os.utime(store.directory / "exchanges" / name, ns=(number, number))
    assert store.record_names("exchanges") == ("b", "a", "c")
    assert store.record("exchanges", "a") == {"n": 1}
    store.drop_record("exchanges", "a")
    store.drop_record("exchanges", "a")
    assert store.record("exchanges", "a") is None
    with pytest.raises(ClientError):
        store.record("exchanges", "../local.key")


def test_two_commands_take_turns_at_the_checkpoint(store):
    inside = threading.Event()
    order = []

    def other():
        with Keystore(store.directory).checkpoint_lock():
            order.append("other")
        inside.set()

    with store.checkpoint_lock():
        thread = threading.Thread(target=other)
        thread.start()
        assert not inside.wait(0.1)
        order.append("first")
    thread.join(60)
    assert order == ["first", "other"]


def test_a_directory_that_another_command_removes_meanwhile_stops_no_sweep(tmp_path):
    ended = threading.Event()

    def churn():
        while not ended.is_set():
            (tmp_path / "uploads" / "one").mkdir(parents=True, exist_ok=True)
            shutil.rmtree(tmp_path / "uploads", ignore_errors=True)

    other = threading.Thread(target=churn)
    other.start()
    try:
        for _ in range(500):
            sweep_half_written(tmp_path)
    finally:
        ended.set()
        other.join()


def test_what_a_killed_process_half_wrote_is_swept(tmp_path):
    import os
    import subprocess
    import sys

    state = tmp_path / "state"
    Keystore(state)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = state / f".checkpoint.{gone.pid}-0123456789ab"
    alive = state / f".checkpoint.{os.getpid()}-0123456789ab"
    for path in (dead, alive):
        path.write_bytes(b"half")
        path.chmod(0o600)
    Keystore(state)
    assert not dead.exists()
    assert alive.exists()


def test_a_named_key_stays_the_same_until_it_is_destroyed(store):
    assert store.named_key("evaluations.p.2026Q4", make=False) is None
    key = store.named_key("evaluations.p.2026Q4")
    assert key == Keystore(store.directory).named_key("evaluations.p.2026Q4", make=False)
    assert key != store.named_key("evaluations.p.2027Q1")
    assert store.named_keys() == ("evaluations.p.2026Q4", "evaluations.p.2027Q1")
    path = store.directory / "named" / "evaluations.p.2026Q4"
    os.link(path, store.directory / "kept")
    assert store.drop_named_key("evaluations.p.2026Q4")
    assert not store.drop_named_key("evaluations.p.2026Q4")
    assert (store.directory / "kept").read_bytes() == bytes(32), "the bytes are overwritten, not only unlinked"
    assert store.named_key("evaluations.p.2026Q4") != key
    with pytest.raises(ClientError, match="lower-case"):
        store.named_key("../local.key")


def test_a_named_key_of_another_length_is_damage(store):
    write_private(store.directory / "named" / "a", b"short")
    with pytest.raises(ClientError) as refused:
        store.named_key("a")
    assert refused.value.code == "STATE_UNREADABLE"
