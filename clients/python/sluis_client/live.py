"""Answering live: an agency that deposits no register answers each question from its own file, while the asker waits.

A question is answered only when its asker signed it, the policy verified here permits it to be put, and the log shows
that it was. The records asked for leave sealed, under pseudonyms of that one question; all others stay at home.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from sluis_client.answers import check_ask_entry
from sluis_client.canonical import (
    SALT_BYTES,
    canonical_json,
    commitment,
    encode,
    pack_presence,
    parse_canonical,
    tokens_value,
    unpack_presence,
)
from sluis_client.custody import epoch_key
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import EpochKey
from sluis_client.live_transport import LiveQuestion
from sluis_client.making import maker_of
from sluis_client.participant import Participant
from sluis_client.policy import PurposeView
from sluis_client.pseudonymise import Column, Context, Maker
from sluis_client.register_table import Plan, Prepared, pseudonym_columns
from sluis_client.seal import Field, RowSealer
from sluis_client.session_pseudonyms import session_columns, session_register
from sluis_client.statement_shapes import ASK, LIVE_ANSWER, check_members
from sluis_client.statements import SignedStatement, parse_utc, utc, verify
from sluis_client.transport import Progress, silent
from sluis_client.upload import RegisterRun

WAIT_SECONDS = 20
_VALID = timedelta(minutes=9)
_KIND = "live-answers"


@dataclass(frozen=True)
class Told:
    """What became of a question that was taken. `index`: of the entry of the answer; None: nothing was released."""

    asker: str
    exchange: str
    index: int | None
    refused: str = ""
    """Why it was not answered; its asker is told that nobody was there."""


@dataclass(frozen=True, repr=False)
class _Own:
    """The agency's table under the key of one epoch."""

    context: Context
    key: EpochKey
    maker: Maker
    columns: tuple[Column, ...]


def demand_live(me: Participant, view: PurposeView) -> None:
    """Raises PURPOSE_UNKNOWN when the policy does not let this party answer live."""
    if me.profile.party not in view.answers_live:
        text = f"the policy does not let {me.profile.party} answer {view.name} live (`answers_live`): use `publish`"
        raise ClientError("PURPOSE_UNKNOWN", text)


class LiveAnswerer:
    """Answers the questions of one purpose from one prepared table."""

    def __init__(self, me: Participant, plan: Plan, prepared: Prepared, progress: Progress = silent) -> None:
        """Raises ATTRIBUTES_MISSING when the table lacks an attribute that may be asked; PURPOSE_UNKNOWN."""
        demand_live(me, prepared.view)
        if prepared.left_out:
            text = f"the file has no column for {', '.join(prepared.left_out)}, which may be asked; name it with --map"
            raise ClientError("ATTRIBUTES_MISSING", text)
        self._me = me
        self._plan = plan
        self._prepared = prepared
        self._progress = progress
        self._own: dict[str, _Own] = {}

    def watch(self, wait_seconds: int, *, stop: Callable[[Told | None], bool]) -> None:
        """Takes and answers questions until `stop` says so; it is told of each, and of every wait without one.

        Raises:
            ClientError: as the transport's `take_question`.
        """
        while True:
            asked = self._me.transport.take_question(self._plan.purpose, wait_seconds)
            if stop(None if asked is None else self.answer(asked)):
                return

    def answer(self, asked: LiveQuestion) -> Told:
        """Answers a question; one that must not be answered, or whose asker has gone, is told and not raised.

        Raises:
            ClientError: LOG_FORKED, LOG_SHRUNK, RECEIPT_BROKEN: then nothing of this broker is to be answered.
        """
        asker, exchange = "", ""
        try:
            statement = self._checked(asked)
            asker, exchange = statement["asker"], statement["request_id"]
            return Told(asker, exchange, self._answered(asked, statement))
        except ClientError as error:
            if error.code in ("LOG_FORKED", "LOG_SHRUNK", "RECEIPT_BROKEN"):
                raise
            return Told(asker, exchange, None, f"{error.code}: {error.message}")

    def _checked(self, asked: LiveQuestion) -> dict[str, Any]:
        """The asker's statement, when this agency is to answer it."""
        me, view = self._me, self._prepared.view
        asker = str(parse_canonical(asked.signed.statement).get("asker"))
        statement = verify(asked.signed, me.certificate_of(asker, asked.certificate), ASK)
        want = statement["want"]
        own = {attribute.name for attribute in self._prepared.attributes}
        rows = {column.rows for column in asked.columns}
        good = {
            "is of another log": (statement["origin"], statement["environment"])
            == (me.profile.origin, me.profile.environment),
            "is put to others": statement["answerers"] == [me.profile.party],
            "is of another purpose": statement["purpose"] == view.name,
            "is by a party that may not ask": asker in view.asks and view.state == "active",
            "asks for a count": not want["count"],
            "asks for attributes that the policy does not name": set(want["attributes"]) <= own,
            "is about too many": statement["subjects"] <= view.limits["subjects_per_request"],
            "identifies otherwise": statement["scheme"] == self._prepared.scheme.name,
            "has columns of another length": rows == {statement["subjects"]}
            and len(asked.columns) == statement["match_keys"] <= self._prepared.scheme.match_keys,
            "has expired": parse_utc(statement["not_after"]) + timedelta(minutes=15) >= me.now(),
        }
        for why, holds in good.items():
            if not holds:
                raise ClientError("STATEMENT_INVALID", f"the question {why}", Exit.VERIFICATION_FAILED)
        if commitment("tokens", asked.tokens_salt, tokens_value(asked.columns)) != statement["tokens"]:
            text = "the question's rows are not those that its asker signed"
            raise ClientError("STATEMENT_INVALID", text, Exit.VERIFICATION_FAILED)
        entry = me.entry(asked.ask, "ask")
        check_ask_entry(entry, asked.signed, me.profile.party)
        if entry["decision"].get("effect") != "permit":
            raise ClientError("STATEMENT_INVALID", "the log shows that it was denied", Exit.VERIFICATION_FAILED)
        me.follow([asked.ask.checkpoint])
        return statement

    def _answered(self, asked: LiveQuestion, statement: Mapping[str, Any]) -> int | None:
        me = self._me
        own = self._of(statement["epoch"], statement["key_id"])
        bound = session_columns(own.key.key, own.context, statement["asker"], statement["request_id"], own.columns)
        same = ("origin", "environment", "asker", "purpose", "epoch", "key_id", "scheme", "tokens")
        said: dict[str, Any] = {name: statement[name] for name in same}
        said |= {
            "type": LIVE_ANSWER,
            "answerer": me.profile.party,
            "exchange": statement["request_id"],
            "match_keys": self._prepared.scheme.match_keys,
            "attributes": list(statement["want"]["attributes"]),
            "as_of": utc(self._plan.as_of),
            "coverage": self._plan.coverage,
            "rules": dict(self._plan.rules),
            "not_after": utc(me.now() + _VALID),
        }
        run = self._run(own, bound, _found(bound, asked.columns), said)
        salt, value = os.urandom(SALT_BYTES), rows_value(run)
        said["rows"] = commitment("live-rows", salt, value)
        check_members(said, LIVE_ANSWER)
        signed = me.sign(said)
        self._keep(said, signed, salt, value)
        receipt = me.transport.answer_question(signed, salt, run)
        if receipt is None:
            return None
        me.own_entry(receipt, "notice", {"what": "live-answer", "party": me.profile.party, "statement": said})
        return receipt.index

    def _of(self, epoch: str, key_id: str) -> _Own:
        if key_id not in self._own:
            view, scheme = self._prepared.view, self._prepared.scheme
            context, key = epoch_key(self._me, view, epoch)
            if key.key_id != key_id:
                text = f"the question was made under another key of {epoch} than the one kept here"
                raise ClientError("KEY_ID_WRONG", text, Exit.KEY_TROUBLE)
            maker = maker_of(self._me, view, context, key.key, scheme.scheme_id, progress=self._progress)
            columns = pseudonym_columns(maker, scheme, self._prepared.keys, None)
            self._own[key_id] = _Own(context, key, maker, columns)
        return self._own[key_id]

    def _run(
        self, own: _Own, bound: Sequence[Column], rows: Sequence[int], said: Mapping[str, Any]
    ) -> RegisterRun | None:
        """The records at `rows`, sealed for this exchange; None when there are none."""
        if not rows:
            return None
        columns = tuple(_picked(column, rows) for column in bound)
        names = [attribute.name for attribute in self._prepared.attributes]
        wanted = [names.index(name) for name in said["attributes"]]
        if not wanted:
            return RegisterRun(0, columns)
        fields = [Field(names[place], self._prepared.attributes[place].width) for place in wanted]
        sealer = RowSealer(own.context, session_register(said), 1, fields)
        sealed = []
        for row in rows:
            keys = enumerate(self._prepared.keys[row], start=1)
            row_secrets = [None if one is None else own.maker.row_secret(number, one) for number, one in keys]
            sealed.append(sealer.seal(row_secrets, [self._prepared.values[row][place] for place in wanted]))
        return RegisterRun(
            0,
            columns,
            tuple(b"".join(one.wraps[key] for one in sealed) for key in range(len(columns))),
            b"".join(one.commitment for one in sealed),
            tuple(b"".join(one.fields[place] for one in sealed) for place in range(len(wanted))),
        )

    def _keep(self, said: Mapping[str, Any], signed: SignedStatement, salt: bytes, value: bytes) -> None:
        """What opens the answer's commitment, before it leaves; for as long as the purpose's accounts are kept."""
        me = self._me
        record = {
            "answered_at": utc(me.now()),
            "statement": canonical_json(said).decode(),
            "signature": signed.signature.hex(),
            "salt": salt.hex(),
            "value": value.hex(),
        }
        me.keystore.keep_record(_KIND, f"{said['asker']}.{said['exchange']}", record)
        for name in me.keystore.record_names(_KIND):
            kept = me.keystore.record(_KIND, name)
            days = timedelta(days=self._prepared.view.vault_keep_days)
            if kept is None or me.now() - parse_utc(kept["answered_at"]) < days:
                break
            me.keystore.drop_record(_KIND, name)


def rows_value(run: RegisterRun | None) -> bytes:
    """What the commitment to an answer's rows is over (docs/formats.md, Live answers); None: no rows."""
    if run is None:
        return encode()
    return tokens_value(run.columns) + encode(*run.wraps, run.commitments, *run.fields)


def _found(mine: Sequence[Column], asked: Sequence[Column]) -> list[int]:
    """The rows of which a pseudonym is asked for, in random order: theirs in the file stays at home."""
    found = np.zeros(mine[0].rows, np.bool_)
    for own, theirs in zip(mine, asked, strict=False):
        wanted = np.frombuffer(theirs.pseudonyms, "V16")[_present(theirs)]
        found |= _present(own) & np.isin(np.frombuffer(own.pseudonyms, "V16"), wanted)
    rows = np.flatnonzero(found).tolist()
    secrets.SystemRandom().shuffle(rows)
    return rows


def _present(column: Column) -> npt.NDArray[np.bool_]:
    return np.asarray(unpack_presence(column.presence, column.rows), np.bool_)


def _picked(column: Column, rows: Sequence[int]) -> Column:
    order = np.asarray(rows)
    pseudonyms = np.frombuffer(column.pseudonyms, "V16")[order].tobytes()
    return Column(pseudonyms, pack_presence(_present(column)[order].tolist(), len(rows)))
