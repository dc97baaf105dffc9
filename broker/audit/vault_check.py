"""A log's commitments against a vault export: each opens, or an entry erased it; what opens fits its statement."""

from __future__ import annotations

import json

import numpy as np

from broker.audit.commitments import LABELS, Rows, mark_of
from broker.audit.entries import is_hex, is_number
from broker.audit.erasures import Erased
from broker.audit.findings import Code, Findings, VaultChecked
from broker.audit.openings import commitment_to
from broker.audit.tokens import PSEUDONYM_BYTES, parts_of
from broker.audit.vault_export import OpenedSlot, VaultFile, VaultFileError


def check_vault(vault: VaultFile, erased: Erased, *, origin: str, size: int, findings: Findings) -> VaultChecked:
    """Compares every slot of `vault` with every commitment of the log that it was exported with."""
    if (vault.origin, vault.size) != (origin, size):
        findings.add(Code.VAULT_OTHER, f"it is of {vault.size} entries of {vault.origin[:101]}")
        return VaultChecked(vault.auditor, 0, len(erased.marks))
    opened: set[bytes] = set()
    rows = erased.rows
    try:
        for slot in vault.slots:
            mark = mark_of(slot.commitment) if is_hex(slot.commitment) else b""
            made = _rows_of(rows, mark)
            if not len(made) or mark in opened:
                findings.add(Code.VAULT_UNKNOWN, slot.label[:20])
                continue
            opened.add(mark)
            _check_slot(slot, mark, made, rows, erased, findings)
    except VaultFileError as error:
        findings.add(Code.VAULT_FORM, str(error))
        return VaultChecked(vault.auditor, len(opened), len(erased.marks))
    for mark in np.unique(rows["mark"]):
        whole = bytes(mark).ljust(len(mark_of("00" * 32)), b"\0")
        if whole not in opened and whole not in erased.marks:
            findings.add(Code.VAULT_MISSING, index=int(_rows_of(rows, whole)["index"][0]))
    return VaultChecked(vault.auditor, len(opened), len(erased.marks))


def _check_slot(slot: OpenedSlot, mark: bytes, made: Rows, rows: Rows, erased: Erased, findings: Findings) -> None:
    index = int(made["index"][0])
    label = LABELS[int(made["label"][0])]
    if mark in erased.marks:
        findings.add(Code.VAULT_ERASED, index=index)
    if commitment_to(label, slot.salt, slot.value).hex() != slot.commitment:
        found = {commitment_to(other, slot.salt, slot.value).hex() for other in LABELS}
        swapped = any(len(_rows_of(rows, mark_of(name))) for name in found)
        findings.add(Code.VAULT_SWAPPED if swapped else Code.VAULT_OPENING, index=index)
    elif not _fits(label, slot.value, int(made["subjects"][0])):
        findings.add(Code.VAULT_STATEMENT, label, index=index)


def _fits(label: str, value: bytes, subjects: int) -> bool:
    """Whether what was opened can be what its statement says; labels that are not listed cannot be judged."""
    if label == "tokens":
        parts = parts_of(value)
        return bool(parts) and all(len(part) == subjects * PSEUDONYM_BYTES for part in parts[1::2])
    if label == "result":
        try:
            result = json.loads(value)
            hits, count = result["hits"], result["count"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        return is_number(hits) and hits <= subjects and (count is None or (is_number(count) and count <= subjects))
    if label in ("case-number", "cooperation-ref"):
        try:
            return 1 <= len(value.decode()) <= 200
        except UnicodeDecodeError:
            return False
    return True


def _rows_of(rows: Rows, mark: bytes) -> Rows:
    wanted = np.array([mark], "S16")
    first, last = np.searchsorted(rows["mark"], wanted, "left")[0], np.searchsorted(rows["mark"], wanted, "right")[0]
    return rows[first:last]
