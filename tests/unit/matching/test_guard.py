from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Callable

import numpy as np
import pytest

from broker.errors import Code, SluisError
from broker.matching import guard
from broker.matching.guard import CHANCE, RULES, check_pseudonyms, threshold

BSNS = [f"{number:09d}" for number in range(123_456_000, 123_456_300, 3)]


def packed(values: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(value[:16].ljust(16, b"\0") for value in values), "V16")


def refusal(values: np.ndarray) -> SluisError | None:
    try:
        check_pseudonyms(values, "rows.columns[0]")
    except SluisError as error:
        return error
    return None


RAW: dict[str, Callable[[str], bytes]] = {
    "ASCII": str.encode,
    "padded with spaces": lambda bsn: bsn.encode().ljust(16),
    "padded with zeros": lambda bsn: bsn.encode().rjust(16, b"0"),
    "padded as PKCS #7": lambda bsn: bsn.encode() + b"\x07" * 7,
    "padded with 255": lambda bsn: b"\xff" * 7 + bsn.encode(),
    "UTF-16 LE": lambda bsn: bsn.encode("utf-16-le"),
    "UTF-16 BE": lambda bsn: bsn.encode("utf-16-be"),
    "little-endian integer": lambda bsn: int(bsn).to_bytes(16, "little"),
    "big-endian integer": lambda bsn: int(bsn).to_bytes(16, "big"),
    "two 64-bit integers": lambda bsn: struct.pack("<QQ", int(bsn), int(bsn) * 7),
    "repeated 32-bit integer": lambda bsn: struct.pack("<I", int(bsn)) * 4,
    "double": lambda bsn: struct.pack("<d", float(bsn)),
    "packed decimal": lambda bsn: bytes.fromhex(bsn + "c"),
    "hex of a hash": lambda bsn: hashlib.sha256(bsn.encode()).hexdigest().encode(),
    "upper-case hex": lambda bsn: hashlib.sha256(bsn.encode()).hexdigest().upper().encode(),
    "UUID text": lambda bsn: str(uuid.uuid5(uuid.NAMESPACE_OID, bsn)).encode(),
    "BAG": lambda bsn: b"0797020" + bsn.encode(),
    "address": lambda bsn: b"1234AB " + bsn[-4:].encode(),
    "name": lambda bsn: b"Jansen " + bsn.encode(),
    "loonheffingennummer": lambda bsn: bsn.encode() + b"L01",
    "base64": lambda bsn: __import__("base64").b64encode(hashlib.sha256(bsn.encode()).digest()),
}


@pytest.mark.parametrize("form", RAW)
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_raw_identifiers_are_refused(form: str, rows: int) -> None:
    error = refusal(packed([RAW[form](bsn) for bsn in BSNS[:rows]]))
    assert error is not None
    assert error.code is Code.LOOKS_LIKE_IDENTIFIERS
    assert error.violations[0].field == "rows.columns[0]"
    assert "sluis-client pseudonymise" in error.message


@pytest.mark.parametrize("form", RAW)
def test_raw_identifiers_among_pseudonyms_are_refused(form: str) -> None:
    random = np.random.default_rng(1).bytes(16 * 5000)
    mixed = np.concatenate([np.frombuffer(random, "V16"), packed([RAW[form](bsn) for bsn in BSNS[:20]])])
    assert refusal(mixed) is not None


@pytest.mark.parametrize("rows", [64, 5000])
def test_columns_that_are_not_uniform_are_refused(rows: int) -> None:
    uuids = packed([uuid.uuid4().bytes for _ in range(rows)])
    assert refusal(uuids) is not None
    prose = packed([f"{number:x}, the é".encode().ljust(16, b"!") for number in range(rows)])
    assert refusal(prose) is not None


def test_a_refusal_tells_nothing_of_the_rows() -> None:
    error = refusal(packed([b"123456782"]))
    assert error is not None
    told = f"{error} {error.metadata} {error.violations}"
    assert "123456782" not in told
    assert set(error.metadata) == {"rule"}


@pytest.mark.parametrize("rows", [0, 1, 2, 63, 64, 1000, 65_536])
def test_hashed_values_pass(rows: int) -> None:
    values = [hashlib.sha256(b"%d" % number).digest() for number in range(rows)]
    assert refusal(packed(values)) is None


def test_one_pseudonym_many_times_passes() -> None:
    assert refusal(packed([hashlib.sha256(b"fines").digest()] * 500)) is None


def test_absent_rows_are_not_part_of_the_question() -> None:
    values = packed([hashlib.sha256(b"%d" % number).digest() for number in range(10)] + [b""] * 10)
    present = np.arange(20) < 10
    assert refusal(values[present]) is None
    assert refusal(values) is not None


def test_columns_that_are_not_contiguous_pass() -> None:
    values = packed([hashlib.sha256(b"%d" % number).digest() for number in range(5000)])
    assert refusal(values[::2]) is None


@pytest.mark.parametrize("rows", [1, 100, 65_536, 10**7])
@pytest.mark.parametrize("rule", RULES)
def test_thresholds_bound_the_chance(rule: str, rows: int) -> None:
    least = threshold(rows, RULES[rule])
    chance = 1.0
    for number in range(1, least + 1):
        chance *= rows * RULES[rule] / number
    assert chance <= CHANCE
    assert least == 1 or chance * least / (rows * RULES[rule]) > CHANCE, "no lower threshold would do"


def test_one_random_row_is_refused_less_than_once_in_a_billion() -> None:
    assert sum(chance for chance in RULES.values() if threshold(1, chance) == 1) < 1e-9


def test_the_stated_chances_are_those_of_the_rules() -> None:
    """Alphabets, runs, zeros and different bytes, counted again by exact arithmetic."""
    for rule, alphabet in guard._ALPHABETS.items():
        assert RULES[rule] == pytest.approx((len(set(alphabet)) / 256) ** 16)
    ways = [1] + [0] * 12  # state: length of the printable run so far, 12 = reached
    for _ in range(16):
        following = [0] * 13
        for length, count in enumerate(ways):
            following[12 if length == 12 else length + 1] += count * 95
            following[12 if length == 12 else 0] += count * 161
        ways = following
    assert RULES["printable"] == pytest.approx(ways[12] / 256**16, rel=0.01)
    zeros = sum(_choose(16, k) * 255 ** (16 - k) for k in range(6, 17)) / 256**16
    assert RULES["zeros"] == pytest.approx(zeros, rel=0.02)
    neighbours = sum(_choose(14, k) * 255 ** (14 - k) for k in range(6, 15)) / 256**14
    assert RULES["padding"] == pytest.approx(neighbours, rel=0.05)
    different = {0: 1}
    for _ in range(16):
        after: dict[int, int] = {}
        for kinds, count in different.items():
            after[kinds] = after.get(kinds, 0) + count * kinds
            after[kinds + 1] = after.get(kinds + 1, 0) + count * (256 - kinds)
        different = after
    few = sum(count for kinds, count in different.items() if kinds <= 7) / 256**16
    assert RULES["few"] == pytest.approx(few, rel=0.02)


def _choose(n: int, k: int) -> int:
    top = 1
    for step in range(k):
        top = top * (n - step) // (step + 1)
    return top


@pytest.mark.slow
def test_ten_million_hashed_values_pass() -> None:
    """Keyed hashes as the client makes them, in runs of 65,536."""
    import hmac

    made = 0
    while made < 10_000_000:
        run = b"".join(hmac.digest(b"k" * 32, b"%d" % number, "sha256")[:16] for number in range(made, made + 65_536))
        check_pseudonyms(np.frombuffer(run, "V16"))
        made += 65_536
