"""Writes the vectors beside it from `reference.py` and the standard library alone.

Entropy is a hash of a counter, so every run writes the same bytes, but for HPKE ciphertexts, which the library makes at
random: the one in envelopes.json is kept.

    python tests/vectors/pseudonym/generate.py           writes
    python tests/vectors/pseudonym/generate.py --check   fails when a file differs
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from reference import (
    Entropy,
    L,
    blinded,
    derive,
    encode,
    key_pair,
    oblivious_row,
    parts,
    proven,
    row,
    seal,
    service_info,
    session,
)

HERE = Path(__file__).parent
BASE = {
    "origin": "sluis.example/vectors",
    "environment": "test",
    "purpose": "snf-locatie",
    "epoch": "2026Q4",
    "mode": "keyed",
}
REGISTER = "snf/snf-locatie/2026Q4/bag"


def canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


K = hashlib.sha256(b"sluis vectors: K").digest()
NAMES = ["WALESA", "LECH", "1943-09-29"]


def keys_file() -> dict[str, Any]:
    changes = [
        {},
        {"purpose": "verhuurvergunning"},
        {"epoch": "2027Q1"},
        {"environment": "production"},
        {"origin": "sluis.example/other"},
    ]
    cases = [{"context": BASE | change, **derive(K, BASE | change)} for change in changes]
    return {"about": "key id and the two keys from K (spec section 3)", "key": K.hex(), "cases": cases}


def pseudonyms_file() -> dict[str, Any]:
    cases = [
        row(K, BASE, "bag/1", 1, ["0797020000056894"]),
        row(K, BASE, "bag/1", 1, ["0797030000056834"]),
        row(K, BASE, "kvk/1", 1, ["68750110"]),
        row(K, BASE, "vestiging/1", 1, ["000037178598"]),
        row(K, BASE, "postcode-number/1", 1, ["1234AB", "12", "A"]),
        row(K, BASE, "postcode-number/1", 1, ["1234AB", "12", ""]),
        row(K, BASE, "name-birthdate/1", 1, NAMES),
        row(K, BASE, "name-birthdate/1", 2, NAMES),
        row(K, BASE, "name-birthdate/1", 3, [NAMES[0], NAMES[2]]),
    ]
    return {"about": "x, pseudonym and y of one row (spec section 4)", "key": K.hex(), "context": BASE, "cases": cases}


def bad_pseudonyms_file() -> dict[str, Any]:
    one = ("bag/1", 1, ["0797020000056894"])

    def pair(name: str, *sides: tuple[dict[str, str], str, int, list[str]]) -> dict[str, Any]:
        return {"name": name, "sides": [{"context": c, **row(K, c, s, n, f)} for c, s, n, f in sides]}

    cases = [
        pair("another purpose", (BASE, *one), (BASE | {"purpose": "verhuurvergunning"}, *one)),
        pair("another epoch", (BASE, *one), (BASE | {"epoch": "2027Q1"}, *one)),
        pair("another environment", (BASE, *one), (BASE | {"environment": "production"}, *one)),
        pair("another log", (BASE, *one), (BASE | {"origin": "sluis.example/other"}, *one)),
        pair("another scheme", (BASE, *one), (BASE, "pand/1", 1, one[2])),
        pair("another version of the scheme", (BASE, *one), (BASE, "bag/2", 1, one[2])),
        pair("another match key", (BASE, *one), (BASE, "bag/1", 2, one[2])),
        pair("fields cut elsewhere", (BASE, "t/1", 1, ["ab", "c"]), (BASE, "t/1", 1, ["a", "bc"])),
        pair("an empty field more", (BASE, "t/1", 1, ["ab"]), (BASE, "t/1", 1, ["ab", ""])),
        pair("label moved into a field", (BASE, "t/1", 1, ["1", "2"]), (BASE, "t/1", 1, ["12"])),
    ]
    return {"about": "two inputs whose pseudonyms and y must differ", "key": K.hex(), "cases": cases}


def sessions_file() -> dict[str, Any]:
    first, second = (f"00000000-0000-4000-8000-{n:012d}" for n in (1, 2))
    rows: list[tuple[str, dict[str, str], str, str, int]] = [
        ("one question", BASE, "utrecht", first, 1),
        ("another question", BASE, "utrecht", second, 1),
        ("another asker", BASE, "tilburg", first, 1),
        ("another match key", BASE, "utrecht", first, 2),
        ("the tenth match key, in two digits", BASE, "utrecht", first, 10),
        ("another epoch", BASE | {"epoch": "2027Q1"}, "utrecht", first, 1),
        ("mode oblivious", OBLIVIOUS, "utrecht", first, 1),
    ]
    pseudonym = bytes.fromhex(row(K, BASE, "bag/1", 1, ["0797020000056894"])["pseudonym"])
    cases = [
        {
            "name": name,
            "context": context,
            "asker": asker,
            "exchange": exchange,
            "match_key": number,
            "pseudonym": pseudonym.hex(),
            "session": session(K, context, asker, exchange, number, pseudonym).hex(),
        }
        for name, context, asker, exchange, number in rows
    ]
    about = "pseudonyms of live questions (spec section 7, Live questions): all differ"
    return {"about": about, "key": K.hex(), "cases": cases}


def record(**changes: Any) -> dict[str, Any]:
    y1 = row(K, BASE, "bag/1", 1, ["0797020000056894"])["y"]
    fields = [
        {"name": "certificate-status", "width": 16, "value": "geldig"},
        {"name": "beds", "width": 5, "value": "48"},
        {"name": "last-inspection", "width": 10, "value": None},
    ]
    return {"context": BASE, "register": REGISTER, "version": 7, "y": [y1], "fields": fields} | changes


def seals_file() -> dict[str, Any]:
    y2 = row(K, BASE, "name-birthdate/1", 2, NAMES)["y"]
    y1 = row(K, BASE, "name-birthdate/1", 1, NAMES)["y"]
    text = [
        {"name": "empty", "width": 8, "value": ""},
        {"name": "full", "width": 8, "value": "Ștefăn"},
        {"name": "null", "width": 8, "value": None},
        {"name": "zero-byte", "width": 8, "value": "a\u0000"},
    ]
    cases = [
        seal({"name": "one match key", **record()}, Entropy("seal/1")),
        seal({"name": "three match keys, the second absent", **record(y=[y1, None, y2])}, Entropy("seal/2")),
        seal({"name": "empty, full, null and a zero byte", **record(fields=text)}, Entropy("seal/3")),
    ]
    return {"about": "records as published (spec section 5); a wrap's nonce is its first 12 bytes", "cases": cases}


def flip(text: str, position: int) -> str:
    raw = bytearray.fromhex(text)
    raw[position] ^= 1
    return raw.hex()


def bad_seals_file() -> dict[str, Any]:
    good = seal(record(), Entropy("bad"))
    other = seal(record(y=[row(K, BASE, "bag/1", 1, ["0797030000056834"])["y"]]), Entropy("bad/other"))
    two = seal(record(y=[good["y"][0], good["y"][0]]), Entropy("bad/two"))
    sealed = good["sealed"]
    base = {
        "context": BASE,
        "register": REGISTER,
        "version": 7,
        "y": good["y"][0],
        "match_key": 1,
        "wrap": good["wraps"][0],
        "commitment": good["commitment"],
        "fields": [{"name": f["name"], "width": f["width"]} for f in good["fields"]],
        "sealed": sealed,
    }

    def bad(name: str, what: str, **changes: object) -> dict[str, Any]:
        return {"name": name, "names": what, **base, **changes}

    def replaced(name: str, raw: bytes) -> dict[str, Any]:
        """The good record with one field's plaintext replaced, sealed with the right keys."""
        fields = [f | ({"raw": raw.hex()} if f["name"] == name else {}) for f in record()["fields"]]
        again = seal(record(fields=fields), Entropy("bad"))
        return {"sealed": again["sealed"]}

    cases = [
        bad("wrap too short", "wrap", wrap=base["wrap"][:-2]),
        bad("wrap too long", "wrap", wrap=base["wrap"] + "00"),
        bad("wrap empty", "wrap", wrap=""),
        bad("wrap of an absent match key", "wrap", wrap=bytes(60).hex()),
        bad("nonce of the wrap changed", "wrap", wrap=flip(base["wrap"], 0)),
        bad("wrapped key changed", "wrap", wrap=flip(base["wrap"], 20)),
        bad("tag of the wrap changed", "wrap", wrap=flip(base["wrap"], 59)),
        bad("wrap of another record", "wrap", wrap=other["wraps"][0]),
        bad("wrong match key", "wrap", match_key=2),
        bad("wraps of two match keys swapped", "wrap", wrap=two["wraps"][1]),
        bad("another row secret", "wrap", y=other["y"][0]),
        bad("another register version", "wrap", version=8),
        bad("another register", "wrap", register="snf/snf-locatie/2027Q1/bag"),
        bad("another environment", "wrap", context=BASE | {"environment": "production"}),
        bad("another log", "wrap", context=BASE | {"origin": "sluis.example/other"}),
        bad("commitment changed", "commitment", commitment=flip(base["commitment"], 31)),
        bad("commitment of another record", "commitment", commitment=other["commitment"]),
        bad("commitment too short", "commitment", commitment=base["commitment"][:-2]),
        bad("commitment empty", "commitment", commitment=""),
        bad("a field changed", "beds", sealed=sealed | {"beds": flip(sealed["beds"], 0)}),
        bad("a field's tag changed", "beds", sealed=sealed | {"beds": flip(sealed["beds"], 22)}),
        bad("a field too short", "beds", sealed=sealed | {"beds": sealed["beds"][:-2]}),
        bad("a field too long", "beds", sealed=sealed | {"beds": sealed["beds"] + "00"}),
        bad("a field empty", "beds", sealed=sealed | {"beds": ""}),
        bad("a field of another record", "beds", sealed=sealed | {"beds": other["sealed"]["beds"]}),
        bad("two fields of one width swapped", "first", **_swapped()),
        bad("padding not zero", "beds", **replaced("beds", b"\x00\x0248\x00\x00\x01")),
        bad(
            "padding of a null not zero",
            "last-inspection",
            **replaced("last-inspection", b"\xff\xff" + bytes(9) + b"x"),
        ),
        bad("length beyond the width", "beds", **replaced("beds", b"\x00\x0648   ")),
        bad("length just below the null mark", "beds", **replaced("beds", b"\xff\xfe48   ")),
        bad("not UTF-8", "beds", **replaced("beds", b"\x00\x02\xc3\x28\x00\x00\x00")),
        bad("UTF-8 of a surrogate", "beds", **replaced("beds", b"\x00\x03\xed\xa0\x80\x00\x00")),
    ]
    too_long = [
        {"name": "one byte too long", "width": 5, "value": "123456"},
        {"name": "five characters of six bytes", "width": 5, "value": "Wałęs"},
        {"name": "more than 65,535 bytes", "width": 16, "value": "x", "times": 65_536},
        {"name": "a lone surrogate", "width": 16, "value": "\ud800"},
    ]
    return {
        "about": "what an opener must refuse with SEAL_BROKEN, naming `names`; and values a sealer must refuse",
        "cases": cases,
        "unsealable": too_long,
    }


def _swapped() -> dict[str, Any]:
    fields = [{"name": "first", "width": 8, "value": "a"}, {"name": "second", "width": 8, "value": "b"}]
    made = seal(record(fields=fields), Entropy("bad/swapped"))
    sealed = made["sealed"]
    return {
        "fields": [{"name": f["name"], "width": f["width"]} for f in fields],
        "sealed": {"first": sealed["second"], "second": sealed["first"]},
        "wrap": made["wraps"][0],
        "commitment": made["commitment"],
    }


def canonical_file() -> dict[str, Any]:
    values: list[object] = [
        {},
        {"b": 1, "a": None, "B": [True, False, 0, -1]},
        {"n": 2**53 - 1, "m": -(2**53 - 1)},
        {"text": 'é € 𝄞 \u2028 \u007f / \\ " \b \f \n \r \t \u0001'},
        {"nested": {"z": [{}, [], ""], "aa": "", "a": "", "a0": ""}},
        {"": "an empty key"},
    ]
    salt = Entropy("commitment")(32)
    value = b"Z-2026-0042"
    full = encode("sluis/v1/commitment", "case-number", salt, value)
    return {
        "about": "canonical JSON, encode, commitment, presence bitmap (formats.md section 1); bytes in hex",
        "json": [{"value": v, "bytes": canonical(v).encode().hex()} for v in values],
        "encode": [
            {"parts": [p.hex() for p in case], "bytes": encode(*case).hex()}
            for case in ([], [b""], [b"", b""], [b"ab", b"c"], [b"a", b"bc"], [bytes(300)])
        ],
        "commitment": {
            "label": "case-number",
            "salt": salt.hex(),
            "value": value.hex(),
            "bytes": hashlib.sha256(full).hexdigest(),
        },
        "presence": [
            {"present": [], "bytes": ""},
            {"present": [True], "bytes": "01"},
            {"present": [False] * 8, "bytes": "00"},
            {"present": [True, False, True, True] + [False] * 4 + [True], "bytes": "0d01"},
        ],
    }


def bad_canonical_file() -> dict[str, Any]:
    cases = {
        "white space": b'{"a": 1}',
        "keys not sorted": b'{"b":1,"a":2}',
        "duplicate key": b'{"a":1,"a":1}',
        "a float": b'{"a":1.0}',
        "an exponent": b'{"a":1e2}',
        "minus zero": b'{"a":-0}',
        "2^53": b'{"a":9007199254740992}',
        "NaN": b'{"a":NaN}',
        "a key outside ASCII": '{"é":1}'.encode(),
        "an escaped character that needs no escape": b'{"a":"\\u0061"}',
        "an escaped slash": b'{"a":"\\/"}',
        "upper-case escape": b'{"a":"\\u001F"}',
        "a lone surrogate": b'{"a":"\\ud800"}',
        "not UTF-8": b'{"a":"\xff"}',
        "a byte order mark": b'\xef\xbb\xbf{"a":1}',
        "a trailing line feed": b'{"a":1}\n',
        "two values": b'{"a":1}{"a":1}',
        "not an object": b"[1]",
        "nothing": b"",
        "nested too deeply": b'{"a":' * 40 + b"1" + b"}" * 40,
        "nested beyond any stack": b"[" * 100_000,
    }
    return {
        "about": "bytes that are not canonical JSON of an object",
        "cases": [{"name": name, "bytes": _short(raw)} for name, raw in cases.items()],
    }


def _short(raw: bytes) -> dict[str, Any]:
    return {"repeat": raw[:1].hex(), "times": len(raw)} if len(raw) > 1000 else {"hex": raw.hex()}


def register_digest_file() -> dict[str, Any]:
    entropy = Entropy("register")
    rows, widths = 11, (23, 34)
    columns = []
    for present in ([True] * rows, [n % 3 != 1 for n in range(rows)]):
        pseudonyms = b"".join(entropy(16) if there else bytes(16) for there in present)
        bits = sum(1 << n for n, there in enumerate(present) if there)
        columns.append({"presence": bits.to_bytes(2, "little").hex(), "pseudonyms": pseudonyms.hex()})
    wraps = [entropy(60 * rows).hex() for _ in columns]
    commitments = entropy(32 * rows).hex()
    fields = [entropy(width * rows).hex() for width in widths]
    flat = [column[part] for column in columns for part in ("presence", "pseudonyms")]

    def digest(*data: str) -> str:
        each = [hashlib.sha256(bytes.fromhex(item)).digest() for item in data]
        return hashlib.sha256(encode("sluis/v1/register-digest", *each)).hexdigest()

    tokens = encode(*(bytes.fromhex(item) for item in flat))
    return {
        "about": "digest of a register's columns (formats.md section 4) and tokens value (section 1)",
        "rows": rows,
        "columns": columns,
        "wraps": wraps,
        "commitments": commitments,
        "fields": fields,
        "digest": digest(*flat, *wraps, commitments, *fields),
        "digest_without_attributes": digest(*flat),
        "tokens_value_sha256": hashlib.sha256(tokens).hexdigest(),
    }


def envelopes_file(kept: dict[str, Any] | None) -> dict[str, Any]:
    """HPKE is randomised: the ciphertext is made once and kept."""
    seed = Entropy("envelope")(96)
    info = encode("sluis/v1/envelope", *parts(BASE), "utrecht", derive(K, BASE)["key_id"])
    if kept is None:
        from cryptography.hazmat.primitives import hpke
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        mlkem = MLKEM768PrivateKey.from_seed_bytes(seed[:64])
        x25519 = X25519PrivateKey.from_private_bytes(seed[64:])
        suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
        public = hpke.MLKEM768X25519PrivateKey(mlkem, x25519).public_key()
        kept = {
            "public_key": (mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()).hex(),
            "ciphertext": suite.encrypt(K, public, info=info).hex(),
        }
    return {
        "about": "K sealed to a recipient (spec section 6)",
        "private_key": seed.hex(),
        "public_key": kept["public_key"],
        "context": BASE,
        "recipient": "utrecht",
        "key_id": derive(K, BASE)["key_id"],
        "info": info.hex(),
        "ciphertext": kept["ciphertext"],
        "key": K.hex(),
    }


def bad_envelopes_file(good: dict[str, Any]) -> dict[str, Any]:
    ciphertext = str(good["ciphertext"])
    changes: dict[str, dict[str, Any]] = {
        "another recipient": {"recipient": "tilburg"},
        "another purpose": {"context": BASE | {"purpose": "verhuurvergunning"}},
        "another epoch": {"context": BASE | {"epoch": "2027Q1"}},
        "another environment": {"context": BASE | {"environment": "production"}},
        "another log": {"context": BASE | {"origin": "sluis.example/other"}},
        "another key id": {"key_id": "00" * 16},
        "another private key": {"private_key": Entropy("envelope/other")(96).hex()},
        "ML-KEM ciphertext changed": {"ciphertext": flip(ciphertext, 0)},
        "X25519 share changed": {"ciphertext": flip(ciphertext, 1100)},
        "ciphertext changed": {"ciphertext": flip(ciphertext, 1125)},
        "tag changed": {"ciphertext": flip(ciphertext, 1167)},
        "too short": {"ciphertext": ciphertext[:-2]},
        "too long": {"ciphertext": ciphertext + "00"},
        "empty": {"ciphertext": ""},
    }
    cases = [{"name": name, **change} for name, change in changes.items()]
    return {
        "about": "envelopes that must not open (ENVELOPE_BROKEN); what a case does not say is as in envelopes.json",
        "cases": cases,
    }


OBLIVIOUS = BASE | {"purpose": "nla-verzoek-persoon", "epoch": "2026-11", "mode": "oblivious"}
SEEDS = {name: hashlib.sha256(f"sluis vectors: key service {name}".encode()).digest() for name in ("oost", "sluis")}
BSN = "999993653"


def services_of(context: dict[str, str], seeds: dict[str, bytes]) -> dict[str, dict[str, str]]:
    return {
        name: {
            "seed": seed.hex(),
            "info": service_info(context, name).hex(),
            "public_key": key_pair(seed, service_info(context, name))[1].hex(),
        }
        for name, seed in seeds.items()
    }


def oblivious_file() -> dict[str, Any]:
    cases = [
        oblivious_row(K, OBLIVIOUS, SEEDS, "bsn/1", 1, [BSN]),
        oblivious_row(K, OBLIVIOUS, SEEDS, "bsn/1", 1, ["999990019"]),
        oblivious_row(K, OBLIVIOUS, SEEDS, "name-birthdate/1", 1, NAMES),
        oblivious_row(K, OBLIVIOUS, SEEDS, "name-birthdate/1", 3, [NAMES[0], NAMES[2]]),
    ]
    return {
        "about": "mode oblivious (spec section 7): private input, outputs of the services, y and pseudonym of a row",
        "key": K.hex(),
        "key_id": derive(K, OBLIVIOUS)["key_id"],
        "context": OBLIVIOUS,
        "services": services_of(OBLIVIOUS, SEEDS),
        "cases": cases,
    }


def bad_oblivious_file() -> dict[str, Any]:
    one = ("bsn/1", 1, [BSN])
    third = SEEDS | {"west": hashlib.sha256(b"sluis vectors: key service west").digest()}
    swapped = {"oost": SEEDS["sluis"], "sluis": SEEDS["oost"]}
    other = SEEDS | {"oost": third["west"]}

    def side(context: dict[str, str], seeds: dict[str, bytes], key: bytes, row: tuple[str, int, list[str]]) -> Any:
        said = {"context": context, "key": key.hex(), "services": services_of(context, seeds)}
        return {**said, **oblivious_row(key, context, seeds, *row)}

    good = (OBLIVIOUS, SEEDS, K, one)
    pairs = {
        "another purpose": (OBLIVIOUS | {"purpose": "brp-inschrijving"}, SEEDS, K, one),
        "another epoch": (OBLIVIOUS | {"epoch": "2026-12"}, SEEDS, K, one),
        "another environment": (OBLIVIOUS | {"environment": "production"}, SEEDS, K, one),
        "another log": (OBLIVIOUS | {"origin": "sluis.example/other"}, SEEDS, K, one),
        "another K": (OBLIVIOUS, SEEDS, hashlib.sha256(K).digest(), one),
        "another key of one service": (OBLIVIOUS, other, K, one),
        "services with each other's seeds": (OBLIVIOUS, swapped, K, one),
        "a third service": (OBLIVIOUS, third, K, one),
        "another match key": (OBLIVIOUS, SEEDS, K, ("bsn/1", 2, [BSN])),
        "another version of the scheme": (OBLIVIOUS, SEEDS, K, ("bsn/2", 1, [BSN])),
        "fields cut elsewhere": (OBLIVIOUS, SEEDS, K, ("bsn/1", 1, [BSN[:4], BSN[4:]])),
    }
    cases = [{"name": name, "sides": [side(*good), side(*bad)]} for name, bad in pairs.items()]
    return {"about": "two rows of mode oblivious whose pseudonyms and y must differ", "cases": cases}


def batch() -> dict[str, Any]:
    """A request of three private inputs to key service oost, and its answer."""
    inputs = [bytes.fromhex(case["private_input"]) for case in oblivious_file()["cases"][:3]]
    blinds = [int.from_bytes(Entropy(f"blind/{number}")(64), "little") % L for number in range(3)]
    secret, public = key_pair(SEEDS["oost"], service_info(OBLIVIOUS, "oost"))
    asked = [blinded(x, blind) for x, blind in zip(inputs, blinds, strict=True)]
    answered, proof = proven(secret, public, asked, int.from_bytes(Entropy("proof")(64), "little") % L)
    return {
        "public_key": public.hex(),
        "inputs": [x.hex() for x in inputs],
        "blinds": [blind.to_bytes(32, "little").hex() for blind in blinds],
        "blinded": [one.hex() for one in asked],
        "evaluated": [one.hex() for one in answered],
        "proof": proof.hex(),
        "outputs": [case["outputs"]["oost"] for case in oblivious_file()["cases"][:3]],
    }


def evaluations_file() -> dict[str, Any]:
    return {"about": "RFC 9497 in the client's role: one batch, as key service oost answers it", "cases": [batch()]}


def bad_evaluations_file() -> dict[str, Any]:
    good = batch()
    evaluated, proof = good["evaluated"], good["proof"]
    another = services_of(OBLIVIOUS, SEEDS)["sluis"]["public_key"]
    challenge = int.from_bytes(bytes.fromhex(proof[:64]), "little")
    no_square = "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"
    changes: dict[str, tuple[str, dict[str, Any]]] = {
        "proof of another key": ("PROOF_WRONG", {"public_key": another}),
        "challenge changed": ("PROOF_WRONG", {"proof": flip(proof, 0)}),
        "answer changed": ("PROOF_WRONG", {"proof": flip(proof, 40)}),
        "zero proof": ("PROOF_WRONG", {"proof": "00" * 64}),
        "answer not reduced": ("PROOF_WRONG", {"proof": proof[:64] + L.to_bytes(32, "little").hex()}),
        "challenge not reduced": ("PROOF_WRONG", {"proof": (challenge + L).to_bytes(32, "little").hex() + proof[64:]}),
        "elements swapped": ("PROOF_WRONG", {"evaluated": [evaluated[1], evaluated[0], evaluated[2]]}),
        "an element evaluated with another key": ("PROOF_WRONG", {"evaluated": [*evaluated[:2], good["blinded"][2]]}),
        "answer to another request": ("PROOF_WRONG", {"blinded": [*good["blinded"][:2], good["blinded"][0]]}),
        "too few elements": ("COUNT_WRONG", {"evaluated": evaluated[:2]}),
        "too many elements": ("COUNT_WRONG", {"evaluated": [*evaluated, evaluated[0]]}),
        "proof too short": ("LENGTH_WRONG", {"proof": proof[:-2]}),
        "identity": ("ELEMENT_INVALID", {"evaluated": ["00" * 32, *evaluated[1:]]}),
        "top bit set": ("ELEMENT_INVALID", {"evaluated": [flip_top(evaluated[0]), *evaluated[1:]]}),
        "no element": ("ELEMENT_INVALID", {"evaluated": [no_square, *evaluated[1:]]}),
        "public key is the identity": ("ELEMENT_INVALID", {"public_key": "00" * 32}),
    }
    shown = ("public_key", "blinded", "evaluated", "proof")
    cases = [
        {"name": name, "code": code, **{key: good[key] for key in shown}, **change}
        for name, (code, change) in changes.items()
    ]
    return {"about": "answers of a key service that a client must refuse, with the code", "cases": cases}


def flip_top(text: str) -> str:
    raw = bytearray.fromhex(text)
    raw[31] |= 0x80
    return raw.hex()


def files() -> dict[str, dict[str, Any]]:
    kept = HERE / "envelopes.json"
    envelopes = envelopes_file(json.loads(kept.read_text("utf-8")) if kept.exists() else None)
    return {
        "keys.json": keys_file(),
        "pseudonyms.json": pseudonyms_file(),
        "bad_pseudonyms.json": bad_pseudonyms_file(),
        "sessions.json": sessions_file(),
        "seals.json": seals_file(),
        "bad_seals.json": bad_seals_file(),
        "canonical.json": canonical_file(),
        "bad_canonical.json": bad_canonical_file(),
        "register_digest.json": register_digest_file(),
        "envelopes.json": envelopes,
        "bad_envelopes.json": bad_envelopes_file(envelopes),
        "oblivious.json": oblivious_file(),
        "bad_oblivious.json": bad_oblivious_file(),
        "evaluations.json": evaluations_file(),
        "bad_evaluations.json": bad_evaluations_file(),
    }


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="compare only")
    check = arguments.parse_args().check
    differing = []
    for name, content in files().items():
        text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
        path = HERE / name
        if check and (not path.exists() or path.read_text("utf-8") != text):
            differing.append(name)
        if not check:
            path.write_text(text, "utf-8")
    for name in differing:
        print(f"{name} differs from what generate.py makes", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
