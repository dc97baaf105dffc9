"""Checkpoints compared between parties: same log, fork with its proof, or no telling."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from desk import Desk
from fake_broker import Log, World, refused, unreachable
from sluis_client.errors import ClientError, Exit
from sluis_client.forks import Evidence, Signed, check_evidence, read_evidence, relate
from sluis_client.receipts import parse_checkpoint


def grown(size, key=None, other_from=None):
    """A log of `size` entries; from `other_from` on with other entries."""
    log = Log(key)
    for number in range(size):
        log.append("genesis", {"n": number, "other": other_from is not None and number >= other_from})
    return log


def signed(log, size):
    note = log.checkpoint(size)
    return Signed(parse_checkpoint(note, [log.vkey]), note)


class Proofs:
    """What a broker proves of one log."""

    def __init__(self, log):
        self.log = log

    def consistency(self, old_size, new_size):
        if new_size > len(self.log.leaves):
            raise refused("FIELD_INVALID")
        return self.log.consistency(old_size, new_size)

    def inclusion(self, index, size):
        log = Log(self.log.key)
        log.leaves = self.log.leaves[:size]
        return log.receipt(index).inclusion


def test_every_pair_of_sizes_of_one_log_and_of_two():
    """Whatever the sizes, two logs of one key are proven to be two, to whoever has the key; one log never is."""
    key = Ed25519PrivateKey.generate()
    for at in (0, 3, 8):
        log, other = grown(18, key), grown(18, key, at)
        for old in range(1, 18):
            for new in range(old, 19):
                ours, theirs = signed(log, new), signed(other, old)
                found = relate(theirs, ours, Proofs(log))
                assert found.verdict == ("same" if old <= at else "fork"), (at, old, new)
                assert check_evidence(found.evidence, [log.vkey])[0] == (found.verdict == "fork")
                assert relate(ours, signed(log, old), Proofs(log)).verdict == "same"


def test_what_the_broker_does_not_prove_is_no_fork():
    key = Ed25519PrivateKey.generate()
    log, other = grown(9, key), grown(12, key, 4)
    found = relate(signed(log, 9), signed(other, 12), Proofs(log))
    assert (found.verdict, found.refused) == ("unproven", True)
    assert not check_evidence(found.evidence, [log.vkey])[0]

    class Lying(Proofs):
        def consistency(self, old_size, new_size):
            return tuple(bytes(32) for _ in self.log.consistency(old_size, new_size))

    for size in (4, 5, 8):
        found = relate(signed(log, size), signed(log, 9), Lying(log))
        assert (found.verdict, found.refused) == ("unproven", False)
    assert relate(signed(log, 3), signed(log, 9), None).verdict == "unproven"
    assert relate(signed(log, 9), signed(log, 9), None).verdict == "same"
    assert relate(signed(log, 9), signed(other, 9), None).verdict == "fork"
    with pytest.raises(ClientError):
        relate(signed(log, 3), signed(log, 9), Unreachable(log))


class Unreachable(Proofs):
    def consistency(self, old_size, new_size):
        raise unreachable()


def test_evidence_that_proves_nothing():
    key = Ed25519PrivateKey.generate()
    log, other = grown(18, key), grown(18, key, 3)
    good = relate(signed(other, 11), signed(log, 18), Proofs(log)).evidence
    assert check_evidence(good, [log.vkey])[0]
    assert read_evidence(json.dumps(good.as_json("LOG_FORKED")).encode()) == good
    honest = signed(log, 11)
    consistent = Evidence((honest.note, good.checkpoints[1]), honest.head.root, log.consistency(11, 18))
    bad = [
        Evidence(good.checkpoints),
        Evidence(good.checkpoints, bytes(32), good.consistency),
        Evidence(good.checkpoints, good.prefix_root, good.consistency[:-1]),
        Evidence(good.checkpoints, good.prefix_root, (*good.consistency, bytes(32))),
        Evidence((good.checkpoints[0],) * 2),
        consistent,
    ]
    for evidence in bad:
        assert not check_evidence(evidence, [log.vkey])[0]
    stranger = grown(11)
    for notes in ((stranger.checkpoint(), good.checkpoints[1]), (good.checkpoints[0], "")):
        with pytest.raises(ClientError) as caught:
            check_evidence(Evidence(notes, good.prefix_root, good.consistency), [log.vkey])
        assert caught.value.code == "RECEIPT_BROKEN"
    for data in (b"", b"{}", b"[]", b'{"format":"sluis-client/log-evidence/1"}', b"\xff", b"[" * 100_000):
        with pytest.raises(ClientError) as caught:
            read_evidence(data)
        assert caught.value.code == "EVIDENCE_UNREADABLE"


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    desk = Desk(World(tmp_path), monkeypatch, capsys)
    desk.ready()
    desk.match("--want", "beds")
    return desk


def compare(desk, *files, party="utrecht", expect=0, words=()):
    value = desk.json(party, "log", "compare", *files, *words, expect=expect)
    return value, [one["verdict"] for one in value["compared"]]


def forked(desk, at):
    """The broker as another party sees it: the same key, other entries from `at` on."""
    log = Log(desk.world.broker.log.key)
    log.leaves = [
        leaf if n < at else leaf.replace(b"2026", b"2025") for n, leaf in enumerate(desk.world.broker.log.leaves)
    ]
    return log


def test_parties_of_one_log(desk):
    desk.run("snf", "log", "checkpoint", "--out", "snf.txt")
    desk.match("--count")
    desk.run("utrecht", "receipts", "fetch", "--out", "mine.json")
    value, verdicts = compare(desk, "snf.txt", "answers.csv.receipts.json", "mine.json", "utrecht/state/checkpoint")
    assert set(verdicts) == {"same"}
    assert value["evidence"] == []
    out = desk.run("utrecht", "log", "compare", "snf.txt")
    assert out.splitlines()[-1] == "one log"


def test_a_note_as_it_comes_out_of_a_mail(desk, monkeypatch):
    import io
    import sys

    note = desk.world.broker.log.checkpoint(4)
    pasted = "\ufeff\r\n" + "".join(f"  {line} \r\n" for line in note.split("\n")) + "\r\n"
    stdin = io.TextIOWrapper(io.BytesIO(pasted.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert compare(desk, "-")[1] == ["same"]
    # cosigned by a witness: what a witness adds is left alone
    cosigned = note + f"\u2014 witness.example {base64.b64encode(b'abcd' + bytes(72)).decode()}\n"
    (desk.world.directory / "cosigned.txt").write_text(cosigned, encoding="utf-8")
    assert compare(desk, "cosigned.txt")[1] == ["same"]


@pytest.mark.parametrize("size", [4, 5, 6, None])
def test_a_fork_is_proven_to_third_parties(desk, size):
    other = forked(desk, 2)
    (desk.world.directory / "snf.txt").write_text(other.checkpoint(size), encoding="utf-8")
    words = ("--evidence", "fork.json")
    value, verdicts = compare(desk, "snf.txt", expect=Exit.VERIFICATION_FAILED, words=words)
    assert verdicts == ["fork"]
    kept, copy = value["evidence"]
    assert (desk.world.directory / copy).read_bytes() == Path(kept).read_bytes()
    transports = len(desk.transports)
    for words in (("--profile", "someren/sluis-client.yaml"), ("--log-key", other.vkey)):
        assert "PROVEN FORK" in desk.run("", "log", "evidence", "fork.json", *words)
    assert len(desk.transports) == transports, "offline"
    assert desk.json("", "log", "evidence", "fork.json", "--log-key", other.vkey)["fork"]
    desk.run("", "log", "evidence", "fork.json", "--log-key", Log().vkey, expect=Exit.VERIFICATION_FAILED)
    assert "wrong" not in desk.err
    assert "PROVEN FORK" in desk.run("", "log", "evidence", kept, "--log-key", other.vkey)
    out = desk.run("utrecht", "log", "compare", "snf.txt", expect=Exit.VERIFICATION_FAILED)
    assert "FORK, proven" in out
    assert "do not use the broker's answers" in out


def test_a_larger_log_than_the_broker_shows(desk):
    other = forked(desk, 2)
    for number in range(4):
        other.append("genesis", {"n": number})
    (desk.world.directory / "snf.txt").write_text(other.checkpoint(), encoding="utf-8")
    value, verdicts = compare(desk, "snf.txt", expect=Exit.VERIFICATION_FAILED)
    assert verdicts == ["unproven"]
    assert "let the party that gave this compare yours" in value["compared"][0]["why"]
    (kept,) = value["evidence"]
    out = desk.run("", "log", "evidence", kept, "--log-key", other.vkey, expect=Exit.VERIFICATION_FAILED)
    assert "not a proof" in out
    # once the broker's own log has passed that size, it can be asked, and gives itself away
    for number in range(9):
        desk.world.broker.log.append("genesis", {"m": number})
    assert compare(desk, "snf.txt", expect=Exit.VERIFICATION_FAILED)[1] == ["fork"]


def test_two_others_contradict_each_other(desk):
    for name, at in (("a.txt", 2), ("b.txt", 3)):
        other = forked(desk, at)
        for number in range(3):
            other.append("genesis", {"n": number})
        (desk.world.directory / name).write_text(other.checkpoint(), encoding="utf-8")
    value, verdicts = compare(desk, "a.txt", "b.txt", expect=Exit.VERIFICATION_FAILED)
    assert verdicts == ["unproven", "unproven", "fork"]
    assert "contradicts the one in a.txt" in value["compared"][2]["why"]


def test_checkpoints_that_say_nothing_of_this_log(desk):
    (desk.world.directory / "other.txt").write_text(grown(5).checkpoint(), encoding="utf-8")
    note = desk.world.broker.log.checkpoint(4)
    (desk.world.directory / "altered.txt").write_text(note.replace("\n4\n", "\n5\n"), encoding="utf-8")
    value, verdicts = compare(desk, "other.txt", "altered.txt", expect=Exit.VERIFICATION_FAILED)
    assert verdicts == ["refused", "refused"]
    assert value["evidence"] == []
    (desk.world.directory / "none.txt").write_text("{}", encoding="utf-8")
    desk.run("utrecht", "log", "compare", "none.txt", expect=Exit.USAGE)
    assert desk.err.startswith("error FILE_UNREADABLE: none.txt holds no checkpoint")
    desk.run("utrecht", "log", "compare", "gone.txt", expect=Exit.USAGE)


def test_out_of_reach_equal_sizes_still_compare(desk):
    desk.run("utrecht", "log", "checkpoint")
    log = desk.world.broker.log
    size = len(log.leaves)
    files = {
        "same.txt": log.checkpoint(),
        "fork.txt": forked(desk, 2).checkpoint(),
        "old.txt": log.checkpoint(size - 1),
    }
    for name, note in files.items():
        (desk.world.directory / name).write_text(note, encoding="utf-8")
    for name, verdict, code in (("same.txt", "same", 0), ("fork.txt", "fork", 6), ("old.txt", "unproven", 7)):
        desk.plan = [lambda transport: transport.fail.update(checkpoint=[unreachable()])]
        value, verdicts = compare(desk, name, expect=code)
        assert (verdicts, value["online"]) == ([verdict], False)
    # nothing kept and nobody to ask
    desk.plan = [lambda transport: transport.fail.update(checkpoint=[unreachable()])]
    desk.run("someren", "log", "compare", "same.txt", expect=Exit.BROKER_UNREACHABLE)


def test_the_kept_evidence_of_a_contradiction_proves_it(desk):
    """What a command finds by itself is evidence of the same form."""
    desk.world.broker.log = forked(desk, 2)
    desk.world.broker.log.append("genesis", {})
    desk.run("utrecht", "log", "checkpoint", expect=Exit.VERIFICATION_FAILED)
    assert desk.err.startswith("error LOG_FORKED: THE BROKER'S LOG CONTRADICTS WHAT IT SHOWED BEFORE")
    (kept,) = (desk.world.directory / "utrecht" / "state" / "evidence").iterdir()
    assert "PROVEN FORK" in desk.run("", "log", "evidence", str(kept), "--log-key", desk.world.broker.log.vkey)
    desk.run("utrecht", "log", "compare", "utrecht/state/checkpoint", expect=Exit.VERIFICATION_FAILED)
    assert len(list((desk.world.directory / "utrecht" / "state" / "evidence").iterdir())) == 2


def test_a_file_without_end_is_refused_and_not_read_whole(desk):
    endless = desk.world.directory / "endless"
    with endless.open("wb") as stream:
        stream.truncate(1 << 40)
    key = desk.world.broker.log.vkey
    desk.run("", "log", "evidence", str(endless), "--log-key", key, expect=Exit.USAGE)
    assert desk.err.startswith("error EVIDENCE_UNREADABLE")
