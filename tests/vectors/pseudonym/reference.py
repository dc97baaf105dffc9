"""An independent, slow reading of docs/pseudonym-spec.md: the whole of it is the functions below.

Shares no code with `sluis_client`, so that a mistake in one shows in the other.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Entropy:
    """A reproducible stream. For vectors only."""

    def __init__(self, seed: str) -> None:
        self.seed, self.counter = seed, 0

    def __call__(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            out += hashlib.sha256(f"{self.seed}/{self.counter}".encode()).digest()
            self.counter += 1
        return out[:size]


def encode(*parts: bytes | str) -> bytes:
    out = b""
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        out += len(raw).to_bytes(4, "big") + raw
    return out


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf(key: bytes, info: bytes) -> bytes:
    return mac(mac(bytes(32), key), info + b"\x01")


def parts(context: dict[str, str]) -> list[str]:
    return [context[name] for name in ("origin", "environment", "purpose", "epoch", "mode")]


def derive(key: bytes, context: dict[str, str]) -> dict[str, str]:
    return {
        "key_id": mac(key, encode("sluis/v1/key-id", *parts(context)))[:16].hex(),
        "match_key": hkdf(key, encode("sluis/v1/match", *parts(context))).hex(),
        "row_key": hkdf(key, encode("sluis/v1/row", *parts(context))).hex(),
    }


def row(key: bytes, context: dict[str, str], scheme: str, number: int, fields: list[str]) -> dict[str, Any]:
    keys = derive(key, context)
    x = encode("sluis/v1/input", *parts(context), scheme, bytes([number]), *fields)
    return {
        "scheme": scheme,
        "match_key": number,
        "fields": fields,
        "x": x.hex(),
        "pseudonym": mac(bytes.fromhex(keys["match_key"]), x)[:16].hex(),
        "y": mac(bytes.fromhex(keys["row_key"]), x).hex(),
    }


def session(key: bytes, context: dict[str, str], asker: str, exchange: str, number: int, pseudonym: bytes) -> bytes:
    """The pseudonym of a row in one live question ("Live questions")."""
    made = hkdf(key, encode("sluis/v1/session", *parts(context), asker, exchange, str(number)))
    return mac(made, pseudonym)[:16]


def seal(case: dict[str, Any], entropy: Entropy) -> dict[str, Any]:
    """Sealed bytes of a record. `raw` replaces the plaintext of a field in deliberately bad vectors."""
    register, version = str(case["register"]), str(case["version"])
    context = case["context"]
    scope = [context["origin"], context["environment"]]
    record_key = entropy(32)
    wraps = []
    for number, y in enumerate(case["y"], start=1):
        if y is None:
            wraps.append(bytes(60).hex())
            continue
        nonce = entropy(12)
        wrap_key = hkdf(bytes.fromhex(y), encode("sluis/v1/wrap", *scope, register, version))
        aad = encode("sluis/v1/wrap", register, version, bytes([number]))
        wraps.append((nonce + AESGCM(wrap_key).encrypt(nonce, record_key, aad)).hex())
    fields = {}
    for field in case["fields"]:
        name, width, value = field["name"], field["width"], field["value"]
        if "raw" in field:
            plain = bytes.fromhex(field["raw"])
        elif value is None:
            plain = b"\xff\xff" + bytes(width)
        else:
            raw = value.encode()
            plain = len(raw).to_bytes(2, "big") + raw + bytes(width - len(raw))
        field_key = hkdf(record_key, encode("sluis/v1/field", *scope, register, version, name))
        aad = encode("sluis/v1/field", register, version, name)
        fields[name] = AESGCM(field_key).encrypt(bytes(12), plain, aad).hex()
    return {
        **case,
        "record_key": record_key.hex(),
        "wraps": wraps,
        "commitment": mac(record_key, encode("sluis/v1/commit", *scope)).hex(),
        "sealed": fields,
    }


# Section 7, mode oblivious. RFC 9497 over ristretto255 (RFC 9496), slowly and from the two RFCs alone.

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
L = 2**252 + 27742317777372353535851937790883648493
SQRT_M1 = pow(2, (P - 1) // 4, P)
SUITE = b"OPRFV1-\x01-ristretto255-SHA512"
Point = tuple[int, int, int, int]


def sqrt_ratio(u: int, v: int) -> tuple[bool, int]:
    r = u * v**3 * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    flipped = check in (-u % P, -u * SQRT_M1 % P)
    if flipped:
        r = r * SQRT_M1 % P
    return check in (u % P, -u % P), P - r if r & 1 else r


INVSQRT_A_MINUS_D = sqrt_ratio(1, (-1 - D) % P)[1]
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235


def add(a: Point, b: Point) -> Point:
    left, right = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * D * a[3] * b[3] % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, point: Point) -> Point:
    out: Point = (0, 1, 1, 0)
    for bit in f"{scalar:b}":
        out = add(out, out)
        if bit == "1":
            out = add(out, point)
    return out


def encoded(point: Point) -> bytes:
    x, y, z, t = point
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    inverse = sqrt_ratio(1, u1 * u2 * u2)[1]
    den1, den2 = inverse * u1 % P, inverse * u2 % P
    z_inverse = den1 * den2 * t % P
    if t * z_inverse % P & 1:
        x, y, den = y * SQRT_M1 % P, x * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    else:
        den = den2
    if x * z_inverse % P & 1:
        y = -y % P
    s = den * (z - y) % P
    return (P - s if s & 1 else s).to_bytes(32, "little")


def decoded(raw: bytes) -> Point:
    s = int.from_bytes(raw, "little")
    assert s < P
    assert not s & 1
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inverse = sqrt_ratio(1, v * u2 * u2)
    x = 2 * s * inverse * u2 % P
    x = P - x if x & 1 else x
    y = u1 * inverse * inverse * u2 * v % P
    assert square
    assert y
    assert not x * y % P & 1
    return x, y, 1, x * y % P


def elligator(half: bytes) -> Point:
    t = int.from_bytes(half, "little") % 2**255 % P
    r = SQRT_M1 * t * t % P
    u, v = (r + 1) * (1 - D * D) % P, (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    c = P - 1
    if not square:
        s = s * t % P
        s, c = s if s & 1 else P - s, r
    n = (c * (r - 1) * (D - 1) * (D - 1) - v) % P
    w0, w1, w2, w3 = 2 * s * v, n * SQRT_AD_MINUS_ONE, 1 - s * s, 1 + s * s
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def expand(message: bytes, tag: bytes) -> bytes:
    tag += bytes([len(tag)])
    first = hashlib.sha512(bytes(128) + message + b"\x00\x40\x00" + tag).digest()
    return hashlib.sha512(first + b"\x01" + tag).digest()


def to_group(message: bytes) -> Point:
    raw = expand(message, b"HashToGroup-" + SUITE)
    return add(elligator(raw[:32]), elligator(raw[32:]))


def to_scalar(message: bytes, tag: bytes = b"HashToScalar-") -> int:
    return int.from_bytes(expand(message, tag + SUITE), "little") % L


def key_pair(seed: bytes, info: bytes) -> tuple[int, bytes]:
    """DeriveKeyPair; the first counter has always done."""
    secret = to_scalar(seed + len(info).to_bytes(2, "big") + info + b"\x00", b"DeriveKeyPair")
    return secret, encoded(times(secret, BASE_POINT))


def output(x: bytes, unblinded: bytes) -> bytes:
    return hashlib.sha512(len(x).to_bytes(2, "big") + x + b"\x00\x20" + unblinded + b"Finalize").digest()


def evaluate(secret: int, x: bytes) -> bytes:
    return output(x, encoded(times(secret, to_group(x))))


BASE_POINT = decoded(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))


def service_info(context: dict[str, str], service: str) -> bytes:
    return encode("sluis/v1/voprf", service, context["environment"], context["purpose"], context["epoch"])


def oblivious_row(
    key: bytes, context: dict[str, str], seeds: dict[str, bytes], scheme: str, number: int, fields: list[str]
) -> dict[str, Any]:
    """A row of section 7: `seeds` holds each key service's 32 bytes for the purpose and epoch."""
    services = sorted(seeds, key=str.encode)
    bound = [*parts(context), encode(*services)]
    x = encode("sluis/v1/input", *bound, scheme, bytes([number]), *fields)
    private = mac(hkdf(key, encode("sluis/v1/blind", *bound)), x)
    outputs = {
        service: evaluate(key_pair(seeds[service], service_info(context, service))[0], private) for service in services
    }
    y = hkdf(b"".join(outputs[service] for service in services), encode("sluis/v1/y", *bound))
    return {
        "scheme": scheme,
        "match_key": number,
        "fields": fields,
        "x": x.hex(),
        "private_input": private.hex(),
        "outputs": {service: made.hex() for service, made in outputs.items()},
        "y": y.hex(),
        "pseudonym": mac(y, encode("sluis/v1/match", *parts(context)))[:16].hex(),
    }


def blinded(x: bytes, blind: int) -> bytes:
    return encoded(times(blind, to_group(x)))


def proven(secret: int, public: bytes, asked: list[bytes], r: int) -> tuple[list[bytes], bytes]:
    """BlindEvaluate with its proof under the random scalar `r`."""

    def sized(data: bytes) -> bytes:
        return len(data).to_bytes(2, "big") + data

    answered = [encoded(times(secret, decoded(one))) for one in asked]
    seed = hashlib.sha512(sized(public) + sized(b"Seed-" + SUITE)).digest()
    m: Point = (0, 1, 1, 0)
    for index, (one, other) in enumerate(zip(asked, answered, strict=True)):
        weight = to_scalar(sized(seed) + index.to_bytes(2, "big") + sized(one) + sized(other) + b"Composite")
        m = add(m, times(weight, decoded(one)))
    z, t2, t3 = times(secret, m), times(r, BASE_POINT), times(r, m)
    transcript = b"".join(sized(part) for part in (public, *map(encoded, (m, z, t2, t3)))) + b"Challenge"
    challenge = to_scalar(transcript)
    return answered, challenge.to_bytes(32, "little") + ((r - challenge * secret) % L).to_bytes(32, "little")
