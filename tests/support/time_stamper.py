"""Time stampers for tests: one of our own that stamps any time with any certificate, and `openssl ts` behind HTTP."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC))
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SHA256, SHA512, SHA1 = "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.3", "1.3.14.3.2.26"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
POLICY = "1.2.3.4.1"


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    out = bytearray([40 * first + second])
    for arc in rest:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        out += bytes(reversed(groups))
    return der(0x06, bytes(out))


def integer(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def set_of(*parts: bytes, tag: int = 0x31) -> bytes:
    return der(tag, *sorted(parts))


@dataclass
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    ca: bool = False,
    usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.TIME_STAMPING,
    critical: bool = True,
    valid: tuple[datetime, datetime] = EVER,
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if usage is not None and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=critical)
    signer = issuer.key if issuer else key
    return Issued(builder.sign(signer, hashes.SHA256()), key)


@dataclass
class Stamper:
    """Stamps whatever it is told to, at whatever time."""

    root: Issued = field(default_factory=lambda: issue("Test time-stamp CA", ca=True))
    signer: Issued = None  # made below
    chain: tuple[Issued, ...] = ()
    """Further certificates that go into tokens, in DER's order, or with `disorder` in another."""
    disorder: bool = False

    def __post_init__(self) -> None:
        if self.signer is None:
            self.signer = issue("Test time stamper", self.root)

    def token(self, data: bytes, at: datetime, *, nonce: int | None = None, algorithm: str = SHA512) -> bytes:
        digest = {SHA256: hashlib.sha256, SHA512: hashlib.sha512, SHA1: hashlib.sha1}[algorithm](data).digest()
        info = der(
            0x30,
            integer(1),
            oid(POLICY),
            der(0x30, der(0x30, oid(algorithm), der(0x05)), der(0x04, digest)),
            integer(7),
            der(0x18, at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()),
            integer(nonce) if nonce is not None else b"",
        )
        certificate = self.signer.certificate
        attributes = [
            der(0x30, oid(CONTENT_TYPE), set_of(oid(TST_INFO))),
            der(0x30, oid(MESSAGE_DIGEST), set_of(der(0x04, hashlib.sha256(info).digest()))),
        ]
        signature = self.signer.key.sign(set_of(*attributes), ec.ECDSA(hashes.SHA256()))
        algorithm_256 = der(0x30, oid(SHA256))
        signer_info = der(
            0x30,
            integer(1),
            der(0x30, certificate.issuer.public_bytes(), integer(certificate.serial_number)),
            algorithm_256,
            set_of(*attributes, tag=0xA0),
            der(0x30, oid(ECDSA_SHA256)),
            der(0x04, signature),
        )
        signed = der(
            0x30,
            integer(3),
            set_of(algorithm_256),
            der(0x30, oid(TST_INFO), der(0xA0, der(0x04, info))),
            self._certificates(),
            set_of(signer_info),
        )
        return der(0x30, oid(SIGNED_DATA), der(0xA0, signed))

    def _certificates(self) -> bytes:
        ders = sorted(one.certificate.public_bytes(Encoding.DER) for one in (self.signer, *self.chain))
        return der(0xA0, *(reversed(ders) if self.disorder else ders))

    def answer(self, data: bytes, at: datetime, nonce: int | None = None, status: int = 0) -> bytes:
        """A TimeStampResp."""
        info = der(0x30, integer(status))
        return der(0x30, info, self.token(data, at, nonce=nonce) if status < 2 else b"")


_CONFIGURATION = """[req]
distinguished_name=dn
[dn]
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
[tsa]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
[stamping]
serial=serial
default_policy=1.2.3.4.1
digests=sha256,sha512
signer_digest=sha256
accuracy=secs:1
ordering=no
tsa_name=no
ess_cert_id_chain=no
ess_cert_id_alg=sha256
"""


class OpensslStamper:
    """A time stamper made of `openssl ts`, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._number = 0
        self._turn = threading.Lock()
        (directory / "c.cnf").write_text(_CONFIGURATION)
        (directory / "serial").write_text("01\n")
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "c.cnf"]
        root = ["-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=openssl time-stamp CA", "-extensions", "root"]
        self._openssl("req", "-x509", *new, *root, "-days", "30")
        self._openssl("req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=openssl time stamper")
        sign = ["-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-extfile", "c.cnf", "-extensions", "tsa"]
        self._openssl("x509", "-req", "-in", "tsa.csr", *sign, "-days", "30", "-out", "tsa.pem")

    @property
    def root(self) -> Path:
        return self._directory / "root.pem"

    def answer(self, request: bytes) -> bytes:
        with self._turn:
            self._number += 1
            query, reply = f"{self._number}.tsq", f"{self._number}.tsr"
            (self._directory / query).write_bytes(request)
            made = [
                "-config",
                "c.cnf",
                "-section",
                "stamping",
                "-signer",
                "tsa.pem",
                "-inkey",
                "tsa.key",
                "-chain",
                "root.pem",
            ]
            self._openssl("ts", "-reply", *made, "-queryfile", query, "-out", reply)
            return (self._directory / reply).read_bytes()

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._directory, check=True, capture_output=True, timeout=30)


def openssl_stamps() -> bool:
    """Whether this machine's openssl has `ts`."""
    try:
        found = subprocess.run(["openssl", "ts", "-help"], capture_output=True, timeout=30)
    except OSError:
        return False
    return found.returncode == 0


@contextmanager
def serving(answer: Callable[[bytes], bytes | int]) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTP server on this machine: its address, and the requests it got. `answer` gives a body or a status."""
    seen: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(body)
            asked = self.headers["Content-Type"] == "application/timestamp-query"
            found = answer(body) if asked else 415
            self.send_response(found if isinstance(found, int) else 200)
            data = b"" if isinstance(found, int) else found
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
