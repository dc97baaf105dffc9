"""The witness over HTTP: every status code of C2SP tlog-witness, and that it never signs two trees of one size."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from log_kit import ORIGIN, Keys
from witnesses import OwnWitness

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import checkpoint_body, parse_checkpoint, parse_verifier_key, sign_checkpoint
from broker.exchange_log.cosignature import cosign, verify_cosigned, witness_key
from broker.exchange_log.merkle import EMPTY_ROOT, CompactRange, consistency_proof, leaf_hash
from broker.witness import memory as memory_module
from broker.witness.memory import MAX_EVIDENCE, Memory, load_key, make_key
from broker.witness.wire import MAX_BODY, SIZE_TYPE, origin_hash, write_add_checkpoint

NAME = "witness.example/w1"


class Tree:
    """A log's tree of any size, with all its proofs and checkpoints."""

    def __init__(self, seed: str = "a", origin: str = ORIGIN, mark: bytes = b"") -> None:
        self.keys = Keys(seed, origin)
        self.key = parse_verifier_key(self.keys.signer.verifier_key)
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._roots = [EMPTY_ROOT]
        growing = CompactRange()
        for n in range(70):
            for level, position, node in growing.append(leaf_hash(mark + bytes([n]))):
                self._nodes[level, position] = node
            self._roots.append(growing.root())

    @property
    def vkey(self) -> str:
        return str(self.key)

    def note(self, size: int, root: bytes | None = None) -> str:
        return sign_checkpoint(self.keys.signer, self.key, size, self._roots[size] if root is None else root)

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        return consistency_proof(old, new, lambda level, at: self._nodes[level, at]) if old else ()

    def request(self, old: int, new: int) -> bytes:
        return write_add_checkpoint(old, self.proof(old, new) if old <= new else (), self.note(new))


@pytest.fixture
def tree() -> Tree:
    return Tree()


@pytest.fixture
def witness(tmp_path: Path, tree: Tree) -> Iterator[OwnWitness]:
    with OwnWitness(tmp_path / "w1", NAME, [tree.vkey]) as one:
        yield one


def send(witness: OwnWitness, body: bytes, method: str = "POST", path: str = "/add-checkpoint") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=60)
    try:
        connection.request(method, path, body or None)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type") or "", response.read().decode()
    finally:
        connection.close()


def test_it_cosigns_what_grows(witness: OwnWitness, tree: Tree) -> None:
    for old, new in [(0, 1), (1, 1), (1, 5), (5, 64), (64, 70)]:
        status, _, text = send(witness, tree.request(old, new))
        assert status == 200
        assert text.startswith(f"— {NAME} ")
        cosigned = verify_cosigned(tree.note(new) + text, tree.key, [witness.key.public])
        assert cosigned.checkpoint.size == new
        assert cosigned.at == {NAME: witness.clock.at}


def test_its_signature_is_over_the_bytes_of_the_standard(witness: OwnWitness, tree: Tree) -> None:
    _, _, text = send(witness, tree.request(0, 3))
    line = parse_checkpoint(tree.note(3) + text).signatures[1]
    body = tree.note(3).partition("\n\n")[0] + "\n"
    message = f"cosignature/v1\ntime {int(witness.clock.at.timestamp())}\n{body}".encode()
    witness.key._private.public_key().verify(line[2][8:], message)
    assert int.from_bytes(line[2][:8], "big") == int(witness.clock.at.timestamp())
    assert len(line[2]) == 72


def test_another_old_size_is_told_the_size(witness: OwnWitness, tree: Tree) -> None:
    assert send(witness, tree.request(3, 5)) == (409, SIZE_TYPE, "0\n")
    send(witness, tree.request(0, 5))
    assert send(witness, tree.request(3, 7)) == (409, SIZE_TYPE, "5\n")
    assert send(witness, tree.request(0, 7)) == (409, SIZE_TYPE, "5\n")
    assert send(witness, tree.request(3, 4)) == (409, SIZE_TYPE, "5\n")


def test_an_unknown_log_is_not_found(witness: OwnWitness) -> None:
    assert send(witness, Tree(origin="sluis.example/other").request(0, 1))[0] == 404


def test_a_signature_that_no_key_of_the_log_made_is_forbidden(witness: OwnWitness, tree: Tree) -> None:
    assert send(witness, Tree("b").request(0, 1))[0] == 403
    body, _, _ = tree.note(1).partition("\n\n")
    forged = body + "\n\n" + tree.note(2).partition("\n\n")[2]
    assert send(witness, write_add_checkpoint(0, (), forged))[0] == 403
    assert send(witness, write_add_checkpoint(0, (), tree.note(1) + forged.partition("\n\n")[2]))[0] == 403


def test_signatures_of_others_are_passed_over(witness: OwnWitness, tree: Tree) -> None:
    other = make_key(witness.directory / "other", "witness.example/w2", bytes(32))
    line = cosign(other.public, other.sign, checkpoint_body(ORIGIN, 1, bytes(32)), witness.clock.at)
    assert send(witness, write_add_checkpoint(0, (), tree.note(1) + line))[0] == 200
    assert other.public.name not in send(witness, b"", "GET", f"/{origin_hash(ORIGIN)}/checkpoint")[2]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text.replace("old 0", "old"),
        lambda text: text.replace("old 0", "old 00"),
        lambda text: text.replace("old 0", "old -1"),
        lambda text: text.replace("old 0", "old  0"),
        lambda text: text.replace("old 0", "old 0\r"),
        lambda text: text.replace("old 0\n", "old 0\nAAAA\n"),
        lambda text: text.replace("old 0\n", "old 0\n" + "A" * 43 + "\n"),
        lambda text: text.replace("old 0\n", "old 0\n" + ("A" * 43 + "=\n") * 64),
        lambda text: text.replace("\n\n", "\n", 1),
        lambda text: text[:-1],
        lambda text: text.replace(ORIGIN, ORIGIN + "\nextension"),
        lambda text: text.replace(f"{ORIGIN}\n1\n", f"{ORIGIN}\n01\n"),
        lambda text: text.replace("old 0", "old 2"),
    ],
)
def test_what_is_malformed_or_goes_backwards_is_a_bad_request(witness: OwnWitness, tree: Tree, change) -> None:
    text = tree.request(0, 1).decode()
    changed = change(text)
    assert changed != text
    assert send(witness, changed.encode())[0] == 400


def test_bytes_that_are_no_text_are_a_bad_request(witness: OwnWitness) -> None:
    assert send(witness, b"old 0\n\n\xff")[0] == 400


def test_a_wrong_proof_is_unprocessable_and_kept(witness: OwnWitness, tree: Tree) -> None:
    send(witness, tree.request(0, 5))
    fork = Tree(mark=b"fork")
    for request in (
        write_add_checkpoint(5, (), tree.note(7)),
        write_add_checkpoint(5, tree.proof(4, 7), tree.note(7)),
        write_add_checkpoint(5, (*tree.proof(5, 7), bytes(32)), tree.note(7)),
        write_add_checkpoint(5, fork.proof(5, 7), fork.note(7)),
        write_add_checkpoint(5, (), fork.note(5)),
    ):
        assert send(witness, request)[0] == 422
    evidence = list((witness.directory / "logs" / origin_hash(ORIGIN)).glob("contradicting-*"))
    assert len(evidence) == 5
    assert send(witness, tree.request(5, 7))[0] == 200


def test_wrong_proofs_leave_room_for_the_proof_of_a_fork(witness: OwnWitness, tree: Tree) -> None:
    """Anyone who holds a checkpoint can send it with a wrong proof, as often as he likes, before he forks the log."""
    send(witness, tree.request(0, 5))
    for number in range(MAX_EVIDENCE + 3):
        wrong = (*tree.proof(5, 7), bytes([number]) * 32)
        assert send(witness, write_add_checkpoint(5, wrong, tree.note(7)))[0] == 422
    kept = witness.directory / "logs" / origin_hash(ORIGIN)
    assert len(list(kept.glob("contradicting-*"))) == MAX_EVIDENCE
    forked = write_add_checkpoint(5, [bytes(32)], Tree(mark=b"fork").note(5))
    assert send(witness, forked)[0] == 422
    (proof,) = kept.glob("contradicting-root-*")
    assert proof.read_bytes() == forked


def test_a_proof_where_there_is_nothing_to_prove_is_unprocessable(witness: OwnWitness, tree: Tree) -> None:
    assert send(witness, write_add_checkpoint(0, [bytes(32)], tree.note(3)))[0] == 422
    assert send(witness, write_add_checkpoint(0, (), tree.note(0, bytes(32))))[0] == 422
    assert send(witness, tree.request(0, 0))[0] == 200
    assert send(witness, tree.request(0, 3))[0] == 200
    assert send(witness, write_add_checkpoint(3, [bytes(32)], tree.note(3)))[0] == 422


def test_what_is_no_request_of_the_protocol(witness: OwnWitness, tree: Tree) -> None:
    assert send(witness, tree.request(0, 1), path="/add-entry")[0] == 404
    assert send(witness, tree.request(0, 1), path="/prefix/add-checkpoint")[0] == 200
    assert send(witness, b"x" * (MAX_BODY + 1))[0] == 413
    assert send(witness, b"", "GET", "/")[0] == 404
    assert send(witness, b"", "DELETE")[0] == 501


def raw(witness: OwnWitness, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", witness.port), timeout=60) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    return answer


def test_a_body_of_no_stated_length_is_refused(witness: OwnWitness) -> None:
    assert b" 411 " in raw(witness, b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\n\r\n")
    chunked = b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b" 411 " in raw(witness, chunked + b"abc")
    assert raw(witness, b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nold") == b""


def test_who_drips_or_stalls_is_cut_off(witness: OwnWitness, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.witness.server.REQUEST_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", witness.port), timeout=60) as connection:
        connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nX: ")
        assert connection.recv(10) == b""


def test_its_newest_checkpoint_is_there_for_all(witness: OwnWitness, tree: Tree) -> None:
    path = f"/{origin_hash(ORIGIN)}/checkpoint"
    assert send(witness, b"", "GET", path)[0] == 404
    send(witness, tree.request(0, 5))
    status, _, note = send(witness, b"", "GET", path)
    assert status == 200
    cosigned = verify_cosigned(note, tree.key, [witness.key.public])
    assert (cosigned.checkpoint.size, list(cosigned.at)) == (5, [NAME])
    assert witness.end().newest(tree.key) == (5, note)
    assert send(witness, b"", "GET", f"/{origin_hash('another')}/checkpoint")[0] == 404


def test_a_restart_forgets_nothing(witness: OwnWitness, tree: Tree) -> None:
    send(witness, tree.request(0, 5))
    witness.stop()
    witness.start()
    assert send(witness, tree.request(0, 3)) == (409, SIZE_TYPE, "5\n")
    assert send(witness, write_add_checkpoint(5, (), Tree(mark=b"fork").note(5)))[0] == 422
    assert send(witness, tree.request(5, 6))[0] == 200


def test_time_never_goes_back(witness: OwnWitness, tree: Tree) -> None:
    send(witness, tree.request(0, 5))
    late = witness.clock.at
    witness.clock.move(hours=-3)
    for old, new in [(5, 5), (5, 6)]:
        _, _, text = send(witness, tree.request(old, new))
        assert verify_cosigned(tree.note(new) + text, tree.key, [witness.key.public]).at == {NAME: late}
    witness.stop()
    witness.start()
    _, _, text = send(witness, tree.request(6, 7))
    assert verify_cosigned(tree.note(7) + text, tree.key, [witness.key.public]).at == {NAME: late}


def test_what_cannot_be_kept_is_not_signed(witness: OwnWitness, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    send(witness, tree.request(0, 5))

    def fail(path: Path, data: bytes) -> None:
        raise OSError(5, "EIO")

    monkeypatch.setattr(memory_module, "write_durably", fail)
    assert send(witness, tree.request(5, 6))[0] == 500
    monkeypatch.undo()
    assert send(witness, tree.request(0, 6)) == (409, SIZE_TYPE, "5\n")


def test_a_write_that_failed_and_yet_happened_is_known(
    witness: OwnWitness, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between keeping and answering is the same: the log asks again and is told the size."""
    real = memory_module.write_durably

    def fail_late(path: Path, data: bytes) -> None:
        real(path, data)
        raise OSError(5, "EIO")

    send(witness, tree.request(0, 5))
    monkeypatch.setattr(memory_module, "write_durably", fail_late)
    assert send(witness, tree.request(5, 6))[0] == 500
    monkeypatch.undo()
    assert send(witness, write_add_checkpoint(5, Tree(mark=b"f").proof(5, 6), Tree(mark=b"f").note(6)))[0] == 409
    assert send(witness, tree.request(6, 6))[0] == 200


def test_a_state_that_it_did_not_write_is_not_signed_on(witness: OwnWitness, tree: Tree) -> None:
    send(witness, tree.request(0, 5))
    witness.stop()
    path = witness.directory / "logs" / origin_hash(ORIGIN) / "checkpoint"
    whole = path.read_bytes()
    for damaged in (b"", whole[:-3], whole.replace(b"\n5\n", b"\n4\n"), tree.note(5).encode()):
        path.write_bytes(damaged)
        with pytest.raises(SluisError) as caught:
            witness.start()
        assert caught.value.code is Code.STORE_CORRUPT
        witness._memory.close()
    path.write_bytes(whole)
    witness.start()


def test_two_witnesses_on_one_state_are_refused(witness: OwnWitness) -> None:
    with pytest.raises(SluisError) as caught:
        Memory(witness.directory)
    assert caught.value.code is Code.CONFIG_INVALID


def test_callers_who_race_get_one_tree(witness: OwnWitness, tree: Tree) -> None:
    """The race in the standard: a slow request must not roll back what a fast one reached."""
    send(witness, tree.request(0, 5))
    fork = Tree(mark=b"fork")
    requests = [tree.request(5, size) for size in (6, 7, 9, 64)] + [fork.request(5, 6), fork.request(5, 7)]
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda data=data: answers.append(send(witness, data)[0])) for data in requests * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == len(threads)
    assert answers.count(200) >= 1
    assert set(answers) <= {200, 409, 422}
    size, note = witness.end().newest(tree.key) or (0, "")
    assert parse_checkpoint(note).root == parse_checkpoint(tree.note(size)).root


def test_two_logs_at_one_witness_do_not_mix(tmp_path: Path, tree: Tree) -> None:
    other = Tree("b", origin="sluis.example/other")
    with OwnWitness(tmp_path / "w", NAME, [tree.vkey, other.vkey]) as witness:
        assert send(witness, tree.request(0, 5))[0] == 200
        assert send(witness, other.request(0, 3))[0] == 200
        assert send(witness, tree.request(5, 6))[0] == 200
        assert send(witness, other.request(5, 6)) == (409, SIZE_TYPE, "3\n")
        stolen = sign_checkpoint(tree.keys.signer, other.key, 9, bytes(32))
        assert send(witness, write_add_checkpoint(3, (), stolen))[0] == 403


def test_a_key_is_never_replaced_and_never_open_to_others(tmp_path: Path) -> None:
    key = make_key(tmp_path, NAME, bytes(range(32)))
    assert str(load_key(tmp_path).public) == str(key.public) == str(witness_key(NAME, key.public.public_key))
    assert "AAEC" not in repr(key)
    with pytest.raises(SluisError):
        make_key(tmp_path, NAME, bytes(32))
    path = tmp_path / "witness.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(SluisError):
        load_key(tmp_path)
    path.chmod(0o600)
    text = path.read_text()
    for damaged in ("", text[:-9] + "AAAAAAA=\n", text.replace("w1", "w2"), text.upper()):
        path.write_text(damaged)
        with pytest.raises(SluisError):
            load_key(tmp_path)


def test_a_key_whose_making_was_cut_off_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "ENOSPC")

    with monkeypatch.context() as patch:
        patch.setattr(memory_module.os, "fsync", full)
        with pytest.raises(SluisError) as caught:
            make_key(tmp_path / "state", NAME, bytes(32))
        assert caught.value.code is Code.STORE_UNAVAILABLE
    made = make_key(tmp_path / "state", NAME, bytes([1]) * 32)
    assert load_key(tmp_path / "state").public == made.public
    with pytest.raises(SluisError, match="never replaced"):
        make_key(tmp_path / "state", NAME, bytes([2]) * 32)
    assert [path.name for path in (tmp_path / "state").iterdir()] == [memory_module.KEY_FILE]
