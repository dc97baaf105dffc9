"""Puts the certificates of a time-stamp answer into the order that DER demands of a SET.

Time stampers made with OpenSSL send several certificates in the order they were given, which a strict reader refuses.
They stand outside what is signed, so their order may be mended; nothing else is touched.
"""

from __future__ import annotations

_SEQUENCE, _CERTIFICATES = 0x30, 0xA0

Item = tuple[int, bytes]
"""Tag and content."""


def with_certificates_in_order(answer: bytes) -> bytes:
    """The same TimeStampResp (RFC 3161 section 2.4.2) with `SignedData.certificates` sorted.

    Raises:
        ValueError: not such an answer, or not in definite lengths.
    """
    status, token = _items(_only(answer))[:2]
    content_type, wrapped = _items(token[1])
    signed = _items(_only(wrapped[1]))
    for at, (tag, content) in enumerate(signed):
        if tag == _CERTIFICATES:
            signed[at] = (tag, b"".join(sorted(_written(item) for item in _items(content))))
            break
    inner = _written((_SEQUENCE, b"".join(map(_written, signed))))
    info = _written((_SEQUENCE, _written(content_type) + _written((wrapped[0], inner))))
    return _written((_SEQUENCE, _written(status) + info))


def _only(data: bytes) -> bytes:
    """The content of the one SEQUENCE that `data` is."""
    ((tag, content),) = _items(data)
    if tag != _SEQUENCE:
        raise ValueError("not a SEQUENCE")
    return content


def _items(data: bytes) -> list[Item]:
    """What stands in a content, one behind the other."""
    found: list[Item] = []
    at = 0
    while at < len(data):
        header = data[at : at + 2]
        if len(header) < 2 or header[0] & 0x1F == 0x1F:
            raise ValueError("not DER")
        size, at = header[1], at + 2
        if size >= 0x80:
            octets = size & 0x7F
            if not 1 <= octets <= 4:
                raise ValueError("an indefinite or absurd length")
            size, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        if at + size > len(data):
            raise ValueError("cut short")
        found.append((header[0], data[at : at + size]))
        at += size
    return found


def _written(item: Item) -> bytes:
    tag, content = item
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content
