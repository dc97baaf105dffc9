"""Our own vectors, good and bad: what any client in any language must reproduce (docs/pseudonym-spec.md section 8)."""

import hmac
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis_client import canonical
from sluis_client.blinding import blind, check_proof, finalize
from sluis_client.envelopes import EncryptionPrivateKey, open_envelope
from sluis_client.errors import ClientError, Exit
from sluis_client.oblivious import Derivation, ObliviousPseudonymiser
from sluis_client.pseudonymise import Column, Context, Pseudonymiser, key_id
from sluis_client.receipts import RegisterDigest
from sluis_client.seal import Field, RowOpener, RowSealer
from sluis_client.secret import Secret, hkdf, macs
from sluis_client.session_pseudonyms import session_columns
from voprf import ristretto

VECTORS = Path(__file__).parents[2] / "vectors" / "pseudonym"


def load(name):
    return json.loads((VECTORS / name).read_text("utf-8"))


def secret(text):
    return Secret(bytes.fromhex(text))


def named(cases):
    return [pytest.param(case, id=case["name"]) for case in cases]


def test_the_vectors_are_those_the_reference_makes():
    done = subprocess.run([sys.executable, VECTORS / "generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_vector_file_is_read_by_this_test():
    here = Path(__file__).read_text("utf-8")
    unread = [path.name for path in VECTORS.glob("*.json") if f'"{path.name}"' not in here]
    assert unread == []


def test_the_worked_example_of_the_spec_is_that_of_the_vectors():
    spec = (VECTORS.parents[2] / "docs" / "pseudonym-spec.md").read_text("utf-8")
    example = spec[spec.index("## 9.") : spec.index("## 10.")]
    # text in quotes and words beside the bytes go, then bytes may stand in groups
    bytes_only = re.sub(r"\s+", "", re.sub(r"\"[^\"\n]*\"|match key 1$|plain .*$", "", example, flags=re.MULTILINE))
    keys, row, record = load("keys.json"), load("pseudonyms.json")["cases"][0], load("seals.json")["cases"][0]
    derived = [keys["cases"][0][name] for name in ("key_id", "match_key", "row_key")]
    shown = [record["record_key"], record["wraps"][0], record["commitment"]]
    shown += [record["sealed"]["beds"], record["sealed"]["last-inspection"]]
    vectors = load("oblivious.json")
    person = vectors["cases"][0]
    shown += [vectors["key_id"], person["x"], person["private_input"], *person["outputs"].values(), person["y"]]
    shown += [person["pseudonym"], *(one["public_key"] for one in vectors["services"].values())]
    for value in (keys["key"], *derived, row["x"], row["pseudonym"], row["y"], *shown):
        assert value in bytes_only


@pytest.mark.parametrize("case", load("keys.json")["cases"])
def test_key_id_and_derived_keys(case):
    from sluis_client.canonical import encode

    key, context = secret(load("keys.json")["key"]), Context(**case["context"])
    assert key_id(key, context) == case["key_id"]
    assert hkdf(key.reveal(), encode("sluis/v1/match", *context.parts())).hex() == case["match_key"]
    assert hkdf(key.reveal(), encode("sluis/v1/row", *context.parts())).hex() == case["row_key"]


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=20), st.binary(max_size=200))
def test_many_macs_are_those_of_the_library(keys, message):
    assert macs(keys, message) == [hmac.digest(key, message, "sha256") for key in keys]


def one_row(case, context, key):
    made = Pseudonymiser(key, Context(**context), case["scheme"])
    row = [None] * 3
    row[case["match_key"] - 1] = tuple(case["fields"])
    column = made.columns([tuple(row)], 3)[case["match_key"] - 1]
    return column, made.row_secret(case["match_key"], tuple(case["fields"]))


@pytest.mark.parametrize("case", load("pseudonyms.json")["cases"])
def test_pseudonyms(case):
    vectors = load("pseudonyms.json")
    column, y = one_row(case, vectors["context"], secret(vectors["key"]))
    assert column == Column(bytes.fromhex(case["pseudonym"]), b"\x01")
    assert y == secret(case["y"])
    if case["match_key"] == 1 and len(case["fields"]) == 1:
        block = case["fields"][0].encode()
        made = Pseudonymiser(secret(vectors["key"]), Context(**vectors["context"]), case["scheme"])
        assert made.column_of_block(block * 3, len(block)).pseudonyms.hex() == case["pseudonym"] * 3


@pytest.mark.parametrize("case", named(load("bad_pseudonyms.json")["cases"]))
def test_inputs_that_must_not_meet(case):
    key = secret(load("bad_pseudonyms.json")["key"])
    made = [one_row(side, side["context"], key) for side in case["sides"]]
    for (column, y), side in zip(made, case["sides"], strict=True):
        assert column.pseudonyms.hex() == side["pseudonym"]
        assert y == secret(side["y"])
    assert made[0][0].pseudonyms != made[1][0].pseudonyms
    assert made[0][1] != made[1][1]


@pytest.mark.parametrize("case", named(load("sessions.json")["cases"]))
def test_pseudonyms_of_live_questions(case):
    file = load("sessions.json")
    column = Column(bytes.fromhex(case["pseudonym"]), b"\x01")
    asked = (Context(**case["context"]), case["asker"], case["exchange"])
    made = session_columns(secret(file["key"]), *asked, [column] * case["match_key"])
    assert made[-1] == Column(bytes.fromhex(case["session"]), b"\x01")
    assert [one["session"] for one in file["cases"]].count(case["session"]) == 1


def services_in_memory(said):
    """`Values` of key services whose seeds are known, over another library than the client's."""
    keys = {
        name: ristretto.Evaluator.from_seed(bytes.fromhex(one["seed"]), bytes.fromhex(one["info"]))
        for name, one in said.items()
    }
    assert {name: key.public_key.serialize().hex() for name, key in keys.items()} == {
        name: one["public_key"] for name, one in said.items()
    }
    return keys


def oblivious_row(case, context, key, services):
    keys = services_in_memory(services)
    derivation = Derivation(key, Context(**context), keys)
    seen = []

    def values(inputs):
        seen.extend(inputs)
        return {x: derivation.combined([keys[name].evaluate_known_input(x) for name in sorted(keys)]) for x in inputs}

    made = ObliviousPseudonymiser(derivation, case["scheme"], values)
    row = [None] * 3
    row[case["match_key"] - 1] = tuple(case["fields"])
    column = made.columns([tuple(row)], 3)[case["match_key"] - 1]
    assert [x.hex() for x in seen] == [case["private_input"]]
    assert {name: one.evaluate_known_input(seen[0]).hex() for name, one in keys.items()} == case["outputs"]
    assert column.pseudonyms.hex() == case["pseudonym"]
    assert made.row_secret(case["match_key"], tuple(case["fields"])) == secret(case["y"])
    return column.pseudonyms, case["y"]


@pytest.mark.parametrize("case", load("oblivious.json")["cases"])
def test_pseudonyms_of_mode_oblivious(case):
    vectors = load("oblivious.json")
    oblivious_row(case, vectors["context"], secret(vectors["key"]), vectors["services"])
    assert key_id(secret(vectors["key"]), Context(**vectors["context"])) == vectors["key_id"]


@pytest.mark.parametrize("case", named(load("bad_oblivious.json")["cases"]))
def test_rows_of_mode_oblivious_that_must_not_meet(case):
    one, other = (oblivious_row(side, side["context"], secret(side["key"]), side["services"]) for side in case["sides"])
    assert one[0] != other[0]
    assert one[1] != other[1]


def parts_of(case, *names):
    return ([bytes.fromhex(part) for part in case[name]] for name in names)


@pytest.mark.parametrize("case", load("evaluations.json")["cases"])
def test_a_batch_of_a_key_service(case):
    inputs, blinds, blinded, evaluated, outputs = parts_of(case, "inputs", "blinds", "blinded", "evaluated", "outputs")
    assert blind(inputs, blinds) == blinded
    public, proof = bytes.fromhex(case["public_key"]), bytes.fromhex(case["proof"])
    assert finalize(inputs, blinds, check_proof("oost", public, blinded, b"".join(evaluated), proof)) == outputs


@pytest.mark.parametrize("case", named(load("bad_evaluations.json")["cases"]))
def test_what_a_client_refuses_of_a_key_service(case):
    blinded, evaluated = parts_of(case, "blinded", "evaluated")
    with pytest.raises(ClientError) as caught:
        check_proof(
            "oost", bytes.fromhex(case["public_key"]), blinded, b"".join(evaluated), bytes.fromhex(case["proof"])
        )
    assert caught.value.code == case["code"]


def drawer(case):
    """What a sealer must draw to make this case: R, then a nonce for every wrap."""
    nonces = [wrap[:24] for wrap, y in zip(case["wraps"], case["y"], strict=True) if y is not None]
    left = [bytes.fromhex(text) for text in (case["record_key"], *nonces)]

    def entropy(size):
        assert len(left[0]) == size
        return left.pop(0)

    return entropy


@pytest.mark.parametrize("case", named(load("seals.json")["cases"]))
def test_sealed_records(case):
    fields = [Field(field["name"], field["width"]) for field in case["fields"]]
    values = {field["name"]: field["value"] for field in case["fields"]}
    place = (Context(**case["context"]), case["register"], case["version"], fields)
    secrets = [None if y is None else secret(y) for y in case["y"]]

    sealed = RowSealer(*place, entropy=drawer(case)).seal(secrets, list(values.values()))

    assert [wrap.hex() for wrap in sealed.wraps] == case["wraps"]
    assert sealed.commitment.hex() == case["commitment"]
    assert [field.hex() for field in sealed.fields] == list(case["sealed"].values())
    data = {name: bytes.fromhex(text) for name, text in case["sealed"].items()}
    for number, y in enumerate(secrets, start=1):
        if y is not None:
            opened = RowOpener(*place).open(y, number, sealed.wraps[number - 1], sealed.commitment, data)
            assert opened == values


@pytest.mark.parametrize("case", named(load("bad_seals.json")["cases"]))
def test_what_an_opener_refuses(case):
    fields = [Field(field["name"], field["width"]) for field in case["fields"]]
    opener = RowOpener(Context(**case["context"]), case["register"], case["version"], fields)
    data = {name: bytes.fromhex(text) for name, text in case["sealed"].items()}
    with pytest.raises(ClientError) as refused:
        opener.open(
            secret(case["y"]), case["match_key"], bytes.fromhex(case["wrap"]), bytes.fromhex(case["commitment"]), data
        )
    assert refused.value.code == "SEAL_BROKEN"
    assert refused.value.exit_code == Exit.VERIFICATION_FAILED
    assert refused.value.message.startswith(case["names"] + " ")
    assert "geldig" not in refused.value.message
    assert "48" not in refused.value.message


@pytest.mark.parametrize("case", named(load("bad_seals.json")["unsealable"]))
def test_what_a_sealer_refuses(case):
    context = Context(**load("bad_seals.json")["cases"][0]["context"])
    value = case["value"] * case.get("times", 1)
    with pytest.raises(ClientError) as refused:
        RowSealer(context, "r", 1, [Field("beds", case["width"])]).seal([Secret(bytes(32))], [value])
    assert refused.value.code in ("FIELD_TOO_LONG", "FIELD_INVALID")
    assert refused.value.message.startswith("beds: ")
    assert case["value"][:4] not in refused.value.message.removeprefix("beds: ")


def test_canonical_forms():
    vectors = load("canonical.json")
    for case in vectors["json"]:
        assert canonical.canonical_json(case["value"]).hex() == case["bytes"]
        assert canonical.parse_canonical(bytes.fromhex(case["bytes"])) == case["value"]
    for case in vectors["encode"]:
        assert canonical.encode(*map(bytes.fromhex, case["parts"])).hex() == case["bytes"]
    given = vectors["commitment"]
    made = canonical.commitment(given["label"], bytes.fromhex(given["salt"]), bytes.fromhex(given["value"]))
    assert made == given["bytes"]
    for case in vectors["presence"]:
        assert canonical.pack_presence(case["present"], len(case["present"])).hex() == case["bytes"]
        assert canonical.unpack_presence(bytes.fromhex(case["bytes"]), len(case["present"])) == case["present"]


@pytest.mark.parametrize("case", named(load("bad_canonical.json")["cases"]))
def test_forms_that_are_not_canonical(case):
    given = case["bytes"]
    raw = bytes.fromhex(given["hex"]) if "hex" in given else bytes.fromhex(given["repeat"]) * given["times"]
    with pytest.raises(ClientError) as refused:
        canonical.parse_canonical(raw)
    assert refused.value.code == "STATEMENT_INVALID"


@pytest.mark.parametrize("cuts", [[], [8], [1, 2, 3], [3, 10], [0, 11], list(range(12))])
def test_register_digest_however_it_is_fed(cuts):
    vectors = load("register_digest.json")
    rows = vectors["rows"]
    edges = [0, *cuts, rows]
    for attributes, expected in ((len(vectors["fields"]), "digest"), (0, "digest_without_attributes")):
        digest = RegisterDigest(len(vectors["columns"]), attributes)
        for start, stop in itertools.pairwise(edges):

            def part(text, start=start, stop=stop):
                raw = bytes.fromhex(text)
                width = len(raw) // rows
                return raw[start * width : stop * width]

            columns = []
            for column in vectors["columns"]:
                bits = canonical.unpack_presence(bytes.fromhex(column["presence"]), rows)[start:stop]
                columns.append(Column(part(column["pseudonyms"]), canonical.pack_presence(bits, stop - start)))
            if attributes:
                wraps, fields = map(part, vectors["wraps"]), map(part, vectors["fields"])
                digest.feed(columns, list(wraps), part(vectors["commitments"]), list(fields))
            else:
                digest.feed(columns)
        assert digest.hexdigest() == vectors[expected]
        assert digest.rows == rows


def test_tokens_value():
    import hashlib

    vectors = load("register_digest.json")
    columns = [Column(bytes.fromhex(c["pseudonyms"]), bytes.fromhex(c["presence"])) for c in vectors["columns"]]
    assert hashlib.sha256(canonical.tokens_value(columns)).hexdigest() == vectors["tokens_value_sha256"]
    assert np.array_equal(canonical.unpack_presence(columns[0].presence, 11), [True] * 11)


def test_envelope():
    vector = load("envelopes.json")
    private = EncryptionPrivateKey(bytes.fromhex(vector["private_key"]))
    assert private.public_bytes().hex() == vector["public_key"]
    context = Context(**vector["context"])
    key = open_envelope(private, context, vector["recipient"], bytes.fromhex(vector["ciphertext"]), vector["key_id"])
    assert key == secret(vector["key"])


@pytest.mark.parametrize("case", named(load("bad_envelopes.json")["cases"]))
def test_envelopes_that_must_not_open(case):
    case = load("envelopes.json") | case
    private = EncryptionPrivateKey(bytes.fromhex(case["private_key"]))
    with pytest.raises(ClientError) as refused:
        open_envelope(
            private, Context(**case["context"]), case["recipient"], bytes.fromhex(case["ciphertext"]), case["key_id"]
        )
    assert refused.value.code == "ENVELOPE_BROKEN"
