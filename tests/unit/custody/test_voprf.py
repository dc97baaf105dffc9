"""The server's role of RFC 9497: the published vectors to the byte, another library as oracle, and bad input."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voprf import ristretto

from broker.custody import voprf
from broker.custody.keys import SystemEntropy
from broker.custody.voprf import Evaluator, derive_key_pair, evaluate, split_elements
from broker.errors import Code, SluisError

HERE = Path(__file__).resolve()
SUITES = json.loads((HERE.parents[2] / "vectors" / "rfc9497" / "ristretto255-sha512.json").read_text())
PUBLISHED = HERE.parents[3] / ".." / "shared" / "vectors" / "rfc9497.json"
BY_MODE = {suite["mode"]: suite for suite in SUITES}
CASES = [(suite["mode"], at) for suite in SUITES for at in range(len(suite["vectors"]))]
SEED, INFO = bytes(range(32)), b"sluis/v1/voprf"
ORDER = 2**252 + 27742317777372353535851937790883648493


def elements(text: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(part) for part in text.split(","))


def key_of(suite):
    return derive_key_pair(bytes.fromhex(suite["seed"]), bytes.fromhex(suite["keyInfo"]), suite["mode"])


def blinded(count: int) -> tuple[list[ristretto.Client], tuple[bytes, ...]]:
    made = [ristretto.Client.blind(b"input %d" % at) for at in range(count)]
    return [client for client, _ in made], tuple(one.serialize() for _, one in made)


def test_the_vectors_are_those_that_were_published():
    if not PUBLISHED.exists():
        pytest.skip("../shared/vectors is not here")
    published = json.loads(PUBLISHED.read_text())
    assert [s for s in published if s["identifier"] == "ristretto255-SHA512" and s["mode"] in (0, 1)] == SUITES
    assert len(CASES) == 5


@pytest.mark.parametrize("mode", [voprf.OPRF, voprf.VOPRF])
def test_keys_are_derived_as_published(mode):
    key = key_of(BY_MODE[mode])
    assert key.secret.reveal().hex() == BY_MODE[mode]["skSm"]
    assert key.public.hex() == BY_MODE[mode].get("pkSm", key.public.hex())


@pytest.mark.parametrize(("mode", "at"), CASES)
def test_evaluations_and_proofs_are_those_published(mode, at):
    suite, case = BY_MODE[mode], BY_MODE[mode]["vectors"][at]
    random = bytes.fromhex(case["Proof"]["r"]) if mode == voprf.VOPRF else bytes([9]) + bytes(31)
    done = evaluate(key_of(suite), elements(case["BlindedElement"]), random)
    assert done.elements == b"".join(elements(case["EvaluationElement"]))
    if mode == voprf.VOPRF:
        assert done.proof.hex() == case["Proof"]["proof"]


@pytest.mark.parametrize("count", [1, 31, 33, 100])
def test_another_library_accepts_the_proofs_and_finds_the_same_outputs(count):
    key, theirs = derive_key_pair(SEED, INFO), ristretto.Evaluator.from_seed(SEED, INFO)
    assert key.public == theirs.public_key.serialize()
    clients, asked = blinded(count)
    evaluator = Evaluator(SystemEntropy(), threads=2)
    done = evaluator.evaluate(key, asked)
    evaluator.close()
    output = ristretto.VerifiableBatchOutput.deserialize(done.proof + done.elements)
    found = ristretto.Client.finalize_batch(clients, output, theirs.public_key)
    assert found == [theirs.evaluate_known_input(b"input %d" % at) for at in range(count)]


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_keys_are_those_of_the_other_library(seed, info):
    assert derive_key_pair(seed, info).public == ristretto.Evaluator.from_seed(seed, info).public_key.serialize()


def test_a_proof_holds_for_nothing_but_its_batch_and_key():
    key, (clients, asked) = derive_key_pair(SEED, INFO), blinded(3)
    evaluator = Evaluator(SystemEntropy(), threads=1)
    done, other = evaluator.evaluate(key, asked), evaluator.evaluate(derive_key_pair(SEED, b"other"), asked)
    evaluator.close()
    public = ristretto.PublicKey.deserialize(key.public)
    swapped = done.elements[32:64] + done.elements[:32] + done.elements[64:]
    flipped = bytes([done.proof[0] ^ 1]) + done.proof[1:]
    for answer in (done.proof + swapped, flipped + done.elements, other.proof + other.elements):
        output = ristretto.VerifiableBatchOutput.deserialize(answer)
        with pytest.raises(BaseException, match="ProofVerification"):  # that library panics where it should raise
            ristretto.Client.finalize_batch(clients, output, public)


def test_two_proofs_of_one_batch_are_under_different_randomness():
    key, (_, asked) = derive_key_pair(SEED, INFO), blinded(1)
    evaluator = Evaluator(SystemEntropy(), threads=1)
    first, second = (evaluator.evaluate(key, asked) for _ in range(2))
    evaluator.close()
    assert first.elements == second.elements
    assert first.proof[:32] != second.proof[:32]
    assert first.proof[32:] != second.proof[32:]


def test_several_threads_may_evaluate_at_once():
    key, (_, asked) = derive_key_pair(SEED, INFO), blinded(70)
    evaluator = Evaluator(SystemEntropy(), threads=2)
    expected = evaluate(key, asked, bytes([3]) + bytes(31)).elements
    found = []
    threads = [threading.Thread(target=lambda: found.append(evaluator.evaluate(key, asked))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    evaluator.close()
    assert [one.elements for one in found] == [expected] * 4


GOOD = elements(BY_MODE[voprf.VOPRF]["vectors"][0]["BlindedElement"])[0]
P = 2**255 - 19
BAD = {
    "the identity": bytes(32),
    "a field element as large as the field": P.to_bytes(32, "little"),
    "above the field": (P + 1).to_bytes(32, "little"),
    "negative": (1).to_bytes(32, "little"),
    "no point": (2).to_bytes(32, "little"),
    "all ones": b"\xff" * 32,
    "the top bit set": GOOD[:31] + bytes([GOOD[31] | 0x80]),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_element_is_refused_by_its_place(name):
    with pytest.raises(SluisError) as caught:
        split_elements(GOOD + BAD[name] + GOOD, "blinded_elements", 1024)
    assert caught.value.code is Code.ELEMENT_INVALID
    assert "element 1 " in caught.value.message
    assert BAD[name].hex() not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", Code.LENGTH_WRONG),
        (GOOD[:31], Code.LENGTH_WRONG),
        (GOOD + b"x", Code.LENGTH_WRONG),
        (GOOD * 5, Code.COUNT_WRONG),
    ],
    ids=["nothing", "a byte short", "a byte too many", "five of four"],
)
def test_batches_of_another_size_are_refused(data, code):
    with pytest.raises(SluisError) as caught:
        split_elements(data, "blinded_elements", 4)
    assert caught.value.code is code
    assert caught.value.violations[0].field == "blinded_elements"


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32))
def test_whatever_is_let_through_is_what_the_other_library_lets_through(data):
    try:
        ristretto.BlindedInput.deserialize(data)
        theirs = True
    except ValueError:
        theirs = False
    try:
        split_elements(data, "blinded_elements", 1)
        ours = True
    except SluisError:
        ours = False
    assert ours is theirs


def test_without_the_library_the_operator_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(voprf, "_sodium", None)
    with pytest.raises(SluisError) as caught:
        derive_key_pair(SEED, INFO)
    assert caught.value.code is Code.CONFIG_INVALID
    assert "libsodium23" in caught.value.message


def test_a_key_does_not_show_itself():
    key = derive_key_pair(SEED, INFO)
    assert key.secret.reveal().hex() not in repr(key)
    assert int.from_bytes(key.secret.reveal(), "little") < ORDER
