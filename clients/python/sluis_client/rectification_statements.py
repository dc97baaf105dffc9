"""The statements of rectification, built (docs/formats.md, Rectification). Each may be put within 9 minutes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sluis_client.statement_shapes import ACKNOWLEDGEMENT, CORRECTION, DISPUTE, OUTCOME
from sluis_client.statements import utc

_VALID = timedelta(minutes=9)
"""The broker takes at most 10 minutes ahead of its own clock."""


def correction_statement(
    *,
    origin: str,
    environment: str,
    request_id: str,
    answerer: str,
    purpose: str,
    epoch: str,
    scheme: str,
    match_keys: int,
    record: str,
    what: str,
    reason: str,
    dispute: str | None,
    now: datetime,
) -> dict[str, Any]:
    """Statement `sluis/v1/correction`. `record`: commitment to the tokens value of the record's one row."""
    return {
        "type": CORRECTION,
        "origin": origin,
        "environment": environment,
        "request_id": request_id,
        "answerer": answerer,
        "purpose": purpose,
        "epoch": epoch,
        "scheme": scheme,
        "match_keys": match_keys,
        "record": record,
        "what": what,
        "reason": reason,
        "dispute": dispute,
        "not_after": utc(now + _VALID),
    }


def dispute_statement(
    *,
    origin: str,
    environment: str,
    request_id: str,
    asker: str,
    answerer: str,
    exchange: str,
    position: str,
    reason: str,
    now: datetime,
) -> dict[str, Any]:
    """Statement `sluis/v1/dispute`. `position`: commitment to the position as decimal text."""
    return {
        "type": DISPUTE,
        "origin": origin,
        "environment": environment,
        "request_id": request_id,
        "asker": asker,
        "answerer": answerer,
        "exchange": exchange,
        "position": position,
        "reason": reason,
        "not_after": utc(now + _VALID),
    }


def outcome_statement(
    *,
    origin: str,
    environment: str,
    request_id: str,
    asker: str,
    answerer: str,
    exchange: str,
    position: str,
    outcome: str,
    role: str,
    now: datetime,
) -> dict[str, Any]:
    """Statement `sluis/v1/outcome`. `position` as in a dispute."""
    return {
        "type": OUTCOME,
        "origin": origin,
        "environment": environment,
        "request_id": request_id,
        "asker": asker,
        "answerer": answerer,
        "exchange": exchange,
        "position": position,
        "outcome": outcome,
        "role": role,
        "not_after": utc(now + _VALID),
    }


def acknowledgement_statement(
    *, origin: str, environment: str, party: str, notice: str, done: str, now: datetime
) -> dict[str, Any]:
    """Statement `sluis/v1/acknowledgement`."""
    return {
        "type": ACKNOWLEDGEMENT,
        "origin": origin,
        "environment": environment,
        "party": party,
        "notice": notice,
        "done": done,
        "not_after": utc(now + _VALID),
    }
