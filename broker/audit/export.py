"""Writes a log bundle (docs/formats.md section 7) from a reader, line by line. Pure: the caller holds the file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from broker.canonical import canonical_json, parse_canonical
from broker.errors import Code, SluisError
from broker.exchange_log.cosignature import COSIGNED, cosigned_key
from broker.ports import LogReader

BUNDLE_TYPE = "sluis/v1/log"
STAMP_KIND = "time-stamp"
"""Documents of this kind are tokens of RFC 3161, by the size of the log (16 digits)."""
POLICY_KINDS = ("policy-archive", "policy-set")
"""Documents of these kinds are policy bundles: by digest and revision, and the newest by digest. Each goes out once."""


def bundle_lines(reader: LogReader) -> Iterator[bytes]:
    """The lines of a bundle, each with its newline: the log as it stood at the newest checkpoint when this began.

    Raises:
        SluisError: NOT_FOUND for an empty log, STORE_CORRUPT when leaves are missing, and what reading raises.
    """
    digest, count = hashlib.sha256(), 0
    for value in _values(reader):
        line = canonical_json(value) + b"\n"
        digest.update(line)
        count += 1
        yield line
    yield canonical_json({"lines": count, "sha256": digest.hexdigest()}) + b"\n"


def _values(reader: LogReader) -> Iterator[dict[str, object]]:
    size, note = reader.checkpoint()
    origin = note.split("\n", 1)[0]
    yield {"bundle": BUNDLE_TYPE, "origin": origin, "size": size}
    written_sets: set[bytes] = set()
    for kind in POLICY_KINDS:
        for _, bundle in reader.documents(kind):
            mark = hashlib.sha256(bundle).digest()
            if mark not in written_sets:
                written_sets.add(mark)
                yield {"policy_set": parse_canonical(bundle)}
    leaves = reader.entries(0, size)
    stamps = ((int(key), token) for key, token in reader.documents(STAMP_KIND))
    stamp = next(stamps, None)
    written = 0
    for covered, checkpoint in reader.checkpoints():
        if covered > size:
            break
        while written < covered:
            entry = next(leaves, None)
            if entry is None or entry.index != written:
                raise SluisError(Code.STORE_CORRUPT, "the log lacks an entry; run `sluis doctor`")
            yield {"leaf": base64.b64encode(entry.leaf).decode()}
            written += 1
        yield {"checkpoint": checkpoint}
        cosigned = reader.document(COSIGNED, cosigned_key(covered))
        if cosigned is not None:
            yield {"cosigned": cosigned.decode()}
        while stamp is not None and stamp[0] <= covered:
            if stamp[0] == covered:
                yield {"timestamp": {"size": covered, "token": base64.b64encode(stamp[1]).decode()}}
            stamp = next(stamps, None)
    if written != size:
        raise SluisError(Code.STORE_CORRUPT, "the log lacks a checkpoint; run `sluis doctor`")
