"""The client's role of RFC 9497: published vectors to the byte, another library as oracle, and services that lie."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sluis_client.blinding import ORDER, blind, blinds_of, check_proof, finalize, is_element
from sluis_client.errors import ClientError
from voprf import ristretto

VECTORS = Path(__file__).parents[2] / "vectors"
SUITES = json.loads((VECTORS / "rfc9497" / "ristretto255-sha512.json").read_text(encoding="utf-8"))
ENCODINGS = json.loads((VECTORS / "ristretto255.json").read_text(encoding="utf-8"))
CASES = [(suite, case) for suite in SUITES for case in suite["vectors"]]
SERVICE = ristretto.Evaluator.from_seed(bytes(range(32)), b"one")
OTHER = ristretto.Evaluator.from_seed(bytes(range(32)), b"two")
PUBLIC = SERVICE.public_key.serialize()
INPUTS = [bytes([number]) * 32 for number in range(3)]


def parts(text: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in text.split(",")]


def answered(service, blinded):
    """Evaluated elements and proof of an honest service."""
    whole = service.evaluate_batch([ristretto.BlindedInput.deserialize(one) for one in blinded]).serialize()
    return whole[64:], whole[:64]


@pytest.mark.parametrize(
    ("suite", "case"), CASES, ids=[f"mode{suite['mode']}-{n}" for n, (suite, _) in enumerate(CASES)]
)
def test_blinding_proof_and_outputs_are_those_published(suite, case):
    inputs, blinds, elements = (parts(case[name]) for name in ("Input", "Blind", "EvaluationElement"))
    assert blind(inputs, blinds, suite["mode"]) == parts(case["BlindedElement"])
    if suite["mode"] == 1:
        public, proof = bytes.fromhex(suite["pkSm"]), bytes.fromhex(case["Proof"]["proof"])
        assert check_proof("x", public, parts(case["BlindedElement"]), b"".join(elements), proof) == elements
    assert finalize(inputs, blinds, elements) == parts(case["Output"])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=70), st.binary(min_size=32, max_size=32))
def test_another_library_finds_the_same_outputs(inputs, seed):
    blinds = blinds_of(seed, len(inputs))
    with ThreadPoolExecutor(2) as pool:
        blinded = blind(inputs, blinds, pool=pool)
        elements = check_proof("x", PUBLIC, blinded, *answered(SERVICE, blinded), pool)
        found = finalize(inputs, blinds, elements, pool)
    assert found == [SERVICE.evaluate_known_input(one) for one in inputs]


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others():
    first, again, other = (blind(INPUTS, blinds_of(seed, 3)) for seed in (b"a" * 32, b"a" * 32, b"b" * 32))
    assert first == again
    assert not {*first} & {*other}
    assert len({*blinds_of(b"a" * 32, 300)}) == 300
    assert all(0 < int.from_bytes(scalar, "little") < ORDER for scalar in blinds_of(b"a" * 32, 300))


def lies():
    blinds = blinds_of(b"s" * 32, 3)
    blinded = blind(INPUTS, blinds)
    elements, proof = answered(SERVICE, blinded)
    others = answered(OTHER, blinded)
    replayed = answered(SERVICE, blind(INPUTS, blinds_of(b"t" * 32, 3)))
    order = ORDER.to_bytes(32, "little")
    challenge = int.from_bytes(proof[:32], "little")
    not_reduced = (challenge + ORDER).to_bytes(32, "little") if challenge + ORDER < 2**256 else order
    yield "another key", others, "PROOF_WRONG"
    yield "another key's proof", (elements, others[1]), "PROOF_WRONG"
    yield "an answer to another request", replayed, "PROOF_WRONG"
    yield "elements in another order", (elements[32:64] + elements[:32] + elements[64:], proof), "PROOF_WRONG"
    yield "a flipped bit of the proof", (elements, bytes([proof[0] ^ 1]) + proof[1:]), "PROOF_WRONG"
    yield "a zero proof", (elements, bytes(64)), "PROOF_WRONG"
    yield "a challenge that is not reduced", (elements, not_reduced + proof[32:]), "PROOF_WRONG"
    yield "an answer that is the group's order", (elements, proof[:32] + order), "PROOF_WRONG"
    yield "the blinded elements themselves", (b"".join(blinded), proof), "PROOF_WRONG"
    yield "one too few", (elements[:64], proof), "COUNT_WRONG"
    yield "one too many", (elements + elements[:32], proof), "COUNT_WRONG"
    yield "none", (b"", proof), "COUNT_WRONG"
    yield "a short proof", (elements, proof[:63]), "LENGTH_WRONG"
    yield "the identity", (bytes(32) + elements[32:], proof), "ELEMENT_INVALID"
    yield "a set top bit", (elements[:31] + bytes([elements[31] | 0x80]) + elements[32:], proof), "ELEMENT_INVALID"
    for number, bad in enumerate(ENCODINGS["bad"][:6]):
        yield f"no element {number}", (bytes.fromhex(bad) + elements[32:], proof), "ELEMENT_INVALID"


@pytest.mark.parametrize(("answer", "code"), [lie[1:] for lie in lies()], ids=[lie[0] for lie in lies()])
def test_a_service_that_lies_is_refused_and_named(answer, code):
    blinded = blind(INPUTS, blinds_of(b"s" * 32, 3))
    with pytest.raises(ClientError) as caught:
        check_proof("oost", PUBLIC, blinded, *answer)
    assert caught.value.code == code
    assert "key service oost" in caught.value.message


@pytest.mark.parametrize("public", [bytes(32), bytes.fromhex(ENCODINGS["bad"][8]), OTHER.public_key.serialize()])
def test_a_public_key_other_than_the_pinned_one_proves_nothing(public):
    blinded = blind(INPUTS, blinds_of(b"s" * 32, 3))
    with pytest.raises(ClientError) as caught:
        check_proof("oost", public, blinded, *answered(SERVICE, blinded))
    assert caught.value.code in ("PROOF_WRONG", "ELEMENT_INVALID")


def test_elements_are_told_from_other_bytes():
    for text in ENCODINGS["multiples_of_the_generator"]:
        assert is_element(bytes.fromhex(text)) == (set(text) != {"0"})
    assert not any(is_element(bytes.fromhex(text)) for text in ENCODINGS["bad"])


def test_the_library_leaves_no_file_behind(tmp_path):
    code = "from sluis_client.blinding import library; library()"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_told():
    code = (
        "import sys; sys.modules['rbcl'] = None\n"
        "from sluis_client.blinding import library\n"
        "try: library()\n"
        "except Exception as error: print(error.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "LIBRARY_MISSING"
