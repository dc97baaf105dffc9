"""The log's side: what it makes of every answer a witness can give, honest or not."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dripping import dripping
from log_kit import ORIGIN
from test_witness import Tree
from witnesses import LIED_AT, LIES, OwnWitness, answering, liar, lie

from broker.dev_pki import ThrowAwayCa
from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import parse_checkpoint
from broker.exchange_log.cosignature import cosign, parse_witness_key, with_lines
from broker.witness.calling import (
    Contradicted,
    Cosignature,
    HasSize,
    WitnessEnd,
    WitnessTrouble,
    ask_newest,
    check_url,
)
from broker.witness.server import WitnessServer

NAME = "witness.example/w1"
TREE = Tree()


@pytest.fixture
def witness(tmp_path: Path) -> OwnWitness:
    return OwnWitness(tmp_path / "w1", NAME, [TREE.vkey])


def test_it_offers_and_is_cosigned_over_one_connection(witness: OwnWitness) -> None:
    with witness:
        end = witness.end()
        assert isinstance(end.offer(0, (), TREE.note(5)), Cosignature)
        kept = end._connection
        assert end.offer(0, (), TREE.note(5)) == HasSize(5)
        assert isinstance(end.offer(5, TREE.proof(5, 9), TREE.note(9)), Cosignature)
        assert end._connection is kept
        assert end.offer(9, (), Tree(mark=b"fork").note(9)) == Contradicted()
        assert end.offer(9, TREE.proof(8, 10), TREE.note(10)) == Contradicted()


def test_a_witness_that_restarted_is_called_anew(witness: OwnWitness) -> None:
    with witness:
        end = witness.end()
        end.offer(0, (), TREE.note(5))
    with pytest.raises(WitnessTrouble) as caught:
        end.offer(5, (), TREE.note(5))
    assert caught.value.what == "unreachable"
    with witness:
        assert isinstance(end.offer(5, (), TREE.note(5)), Cosignature)


LIAR = liar("witness.example/w1")


def told(kind: str) -> tuple[int, str, bytes]:
    """A lie about the tree of 5."""
    return lie(kind, LIAR, TREE.note(5), TREE.note(4))


@pytest.mark.parametrize(
    "kind",
    sorted(LIES),
)
def test_no_lie_passes_for_a_cosignature(kind: str) -> None:
    with answering(lambda _: told(kind)) as url, pytest.raises(WitnessTrouble):
        WitnessEnd(url, LIAR.public).offer(0, (), TREE.note(5))


def test_a_good_line_among_those_of_others_counts() -> None:
    _, _, others = told("another key")
    body = parse_checkpoint(TREE.note(5)).body
    line = cosign(LIAR.public, LIAR.sign, body, LIED_AT)
    with answering(lambda _: (200, "text/plain", others + line.encode())) as url:
        assert WitnessEnd(url, LIAR.public).offer(0, (), TREE.note(5)) == Cosignature(line)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ((409, "text/x.tlog.size", b"five\n"), "answer malformed"),
        ((409, "text/x.tlog.size", b"05\n"), "answer malformed"),
        ((409, "text/x.tlog.size", b"5"), "answer malformed"),
        ((302, "text/plain", b""), "status 302"),
        ((307, "text/plain", b""), "status 307"),
        ((500, "text/plain", b""), "status 500"),
        ((403, "text/plain", b""), "status 403"),
        ((404, "text/plain", b""), "status 404"),
    ],
)
def test_what_is_no_answer_of_the_protocol_is_trouble(answer: tuple[int, str, bytes], what: str) -> None:
    with answering(lambda _: answer) as url, pytest.raises(WitnessTrouble) as caught:
        WitnessEnd(url, LIAR.public).offer(0, (), TREE.note(5))
    assert caught.value.what == what


def test_a_conflict_over_an_equal_size_contradicts_in_older_editions_too() -> None:
    with answering(lambda _: (409, "text/plain", b"")) as url:
        assert WitnessEnd(url, LIAR.public).offer(5, (), TREE.note(5)) == Contradicted()


def test_it_waits_no_longer_than_it_was_told() -> None:
    def slow(_: bytes) -> tuple[int, str, bytes]:
        time.sleep(1)
        return 200, "text/plain", b""

    with answering(slow) as url, pytest.raises(WitnessTrouble) as caught:
        WitnessEnd(url, LIAR.public, seconds=0.1).offer(0, (), TREE.note(5))
    assert caught.value.what == "timeout"


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000),
        ("https", b"\x16\x03\x03\x10\x00\x02\x00\x0f\xfc" + bytes(1000)),
    ],
)
def test_who_drips_holds_up_no_start(scheme: str, text: bytes) -> None:
    with dripping(text) as port:
        began = time.monotonic()
        (said,) = ask_newest([WitnessEnd(f"{scheme}://127.0.0.1:{port}", LIAR.public, seconds=0.3)], TREE.key, None)
    assert said.trouble == "it did not answer in time"
    assert time.monotonic() - began < 3


def test_over_tls_only_the_ca_that_was_named_is_trusted(
    tmp_path: Path, witness: OwnWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = ThrowAwayCa(datetime(2020, 1, 1, tzinfo=UTC), days=365 * 60)
    issued = authority.issue("witness", None, hosts=["localhost"])
    for name, data in (("ca.pem", authority.certificate), ("w.pem", issued.certificate), ("w.key", issued.key)):
        (tmp_path / name).write_bytes(data)
    with witness:
        assert witness.witness is not None
        server = WitnessServer("127.0.0.1:0", witness.witness, (tmp_path / "w.pem", tmp_path / "w.key"))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            url = f"https://localhost:{server.port}"
            end = WitnessEnd(url, witness.key.public, ca_file=tmp_path / "ca.pem")
            assert isinstance(end.offer(0, (), TREE.note(5)), Cosignature)
            assert end.offer(0, (), TREE.note(5)) == HasSize(5)
            with pytest.raises(WitnessTrouble) as caught:
                WitnessEnd(url, witness.key.public).offer(0, (), TREE.note(5))
            assert caught.value.what == "unreachable"
            monkeypatch.setattr("broker.witness.server.REQUEST_SECONDS", 0.2)
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as stalls:
                stalls.sendall(b"\x16\x03\x01\x10")
                with suppress(ConnectionResetError):
                    assert stalls.recv(10) == b"", "who stalls in the handshake is cut off"
            monkeypatch.undo()
            plain = WitnessEnd(url.replace("https", "http"), witness.key.public, seconds=2.0)
            with pytest.raises(WitnessTrouble):
                plain.offer(0, (), TREE.note(5))
        finally:
            server.shutdown()
            server.server_close()
    with pytest.raises(SluisError) as refused:
        WitnessEnd(url, witness.key.public, ca_file=tmp_path / "none.pem")
    assert refused.value.code is Code.CONFIG_INVALID
    with pytest.raises(SluisError):
        WitnessServer("127.0.0.1:0", witness.witness, (tmp_path / "w.key", tmp_path / "w.pem"))


@pytest.mark.parametrize(
    "url",
    """|witness.example|ftp://a/|http://|http://a:x/|http://u:p@a/|http://a/?q|http://a/#f|http://a /|file:///etc/x
    |http://a:99999/""".replace("\n    ", "").split("|"),
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SluisError) as caught:
        check_url(url)
    assert caught.value.code is Code.CONFIG_INVALID


def test_witnesses_say_what_they_hold(tmp_path: Path) -> None:
    """What start-up after a restore asks: the size is proven by two signatures, or told by the protocol alone."""
    full, empty, gone = (OwnWitness(tmp_path / name, f"witness.example/{name}", [TREE.vkey]) for name in "abc")
    gone.port = 1
    with full, empty:
        full.end().offer(0, (), TREE.note(9))
        said = ask_newest([full.end(), empty.end(), gone.end()], TREE.key, TREE.note(5))
        assert [(one.witness[-1], one.size, one.contradicts) for one in said] == [
            ("a", 9, False),
            ("b", 0, False),
            ("c", None, False),
        ]
        assert said[0].note == with_lines(said[0].note or "", [])
        assert parse_checkpoint(said[0].note or "").root == parse_checkpoint(TREE.note(9)).root
        assert said[2].trouble
        assert empty.end().newest(TREE.key) is None, "asking signed nothing"


@pytest.mark.parametrize(
    ("own", "expected"),
    [(TREE.note(9), (9, True, False)), (TREE.note(5), (9, False, False)), (None, (0, False, False))],
)
def test_a_witness_without_a_monitoring_prefix_tells_its_size(
    witness: OwnWitness, own: str | None, expected: tuple[int, bool, bool]
) -> None:
    with witness:
        assert witness.witness is not None
        witness.end().offer(0, (), TREE.note(9))
        answer = witness.witness.add_checkpoint

        def posts_only(body: bytes) -> tuple[int, str, bytes]:
            if not body:
                return 404, "text/plain", b""
            one = answer(body)
            return one.status, one.content_type, one.text.encode()

        with answering(posts_only) as url:
            (said,) = ask_newest([WitnessEnd(url, witness.key.public)], TREE.key, own)
            (fork,) = ask_newest([WitnessEnd(url, witness.key.public)], TREE.key, Tree(mark=b"fork").note(9))
    assert (said.size, said.note is not None, said.contradicts) == expected
    assert fork.contradicts


def test_a_checkpoint_that_a_witness_shows_must_be_signed_by_both(witness: OwnWitness) -> None:
    with witness:
        witness.end().offer(0, (), TREE.note(9))
        _, note = witness.end().newest(TREE.key) or (0, "")
    assert note
    for shown in (TREE.note(9), note.replace("\n9\n", "\n8\n"), Tree("b").note(9), "", note[:-2]):
        with answering(lambda _, shown=shown: (200, "text/plain", shown.encode())) as url:
            (said,) = ask_newest([WitnessEnd(url, witness.key.public)], TREE.key, TREE.note(5))
        assert (said.size, said.note) == (None, None)
        assert said.trouble


def test_a_witness_s_key_is_of_its_own_type() -> None:
    assert parse_witness_key(str(LIAR.public)) == LIAR.public
    for wrong in (TREE.vkey, "", "a+b+c", f"{ORIGIN}+00000000+BAAA"):
        with pytest.raises(SluisError):
            parse_witness_key(wrong)
