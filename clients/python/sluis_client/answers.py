"""Answers judged before they are used: each must hang together with the signed question, the log, the register's signed
manifest and the result it commits to. Only then are its rows opened.

Nothing here talks to anybody but through `Participant`; a single wrong byte refuses the whole exchange (exit code 6).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sluis_client.answer_rows import Posed, Row, broken, open_rows
from sluis_client.canonical import canonical_json, commitment, encode, parse_canonical
from sluis_client.errors import ClientError, Exit
from sluis_client.participant import Participant
from sluis_client.receipts import receipt_broken
from sluis_client.session_pseudonyms import session_register
from sluis_client.statement_shapes import LIVE_ANSWER, REGISTER
from sluis_client.statements import SignedStatement, parse_utc, verify
from sluis_client.transport import (
    STATUS_NAMES,
    Answer,
    AnswerRun,
    Decision,
    Opening,
    Progress,
    RegisterFacts,
    silent,
)

_NAMES_REGISTER = frozenset({"ANSWERED", "EXPIRED"})
_LAST_SECOND = 2**35
"""Far in the future, and still a date."""
_OUTCOMES = {"ANSWERED": "authorised", "FAILED": "failed", "UNKNOWN": "unknown"}


@dataclass(frozen=True)
class RegisterSaid:
    """What the answerer signed of its register, once verified."""

    name: str
    version: int
    as_of: datetime
    expires_at: datetime
    coverage: str
    rules: Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class CheckedAnswer:
    """One answerer's answer, all of it verified. `status` as release entries name it, DENIED included."""

    answerer: str
    status: str
    decision: Decision
    register: RegisterSaid | None
    hits: int
    count: int | None
    band: str
    rows: tuple[Row, ...]
    attributes: tuple[str, ...]
    ask_index: int
    release_index: int | None
    certificate: bytes | None
    """The answerer's certificate (DER) that its manifest verified with."""
    received: Answer
    disputed: Mapping[int, datetime] = field(default_factory=dict)
    """Positions of hits whose record somebody disputes, and since when."""


def check_answers(
    me: Participant, posed: Posed, answers: Sequence[Answer], progress: Progress = silent
) -> tuple[CheckedAnswer, ...]:
    """All answers of an exchange, verified, with their rows opened, by answerer's name.

    Raises:
        ClientError: ANSWER_BROKEN, RECEIPT_BROKEN, MANIFEST_REFUSED, CERTIFICATE_WRONG, SIGNATURE_WRONG, SEAL_BROKEN,
            LOG_FORKED, LOG_SHRUNK; all with exit code 6.
    """
    statement = parse_canonical(posed.signed.statement)
    if sorted(answer.answerer for answer in answers) != statement["answerers"]:
        raise broken("", "it does not hold one answer of each answerer asked")
    entries = {answer.answerer: _check_entries(me, posed, statement, answer) for answer in answers}
    notes = [receipt.checkpoint for answer in answers for receipt in (answer.ask, answer.release) if receipt]
    me.follow(notes)
    me.hold(receipt for answer in answers for receipt in (answer.ask, answer.release) if receipt)
    named = [one.answerer for one in answers if one.register is not None and not one.register.certificate]
    parties = me.parties(named) if named else {}
    checked = []
    for answer in sorted(answers, key=lambda answer: answer.answerer):
        register, certificate = None, None
        if answer.live is not None:
            certificate = me.certificate_of(answer.answerer, answer.live[1])
            register = check_live(posed, statement, answer.answerer, answer.live[0], certificate)
        elif answer.register is not None:
            if answer.register.certificate:
                certificate = me.certificate_of(answer.answerer, answer.register.certificate)
            elif answer.answerer in parties:
                certificate = parties[answer.answerer].certificate
            else:
                raise _refused(answer.answerer, "the answerer has published no encryption key to verify it with")
            register = _check_manifest(posed, statement, answer, answer.register, certificate, entries[answer.answerer])
        rows: tuple[Row, ...] = ()
        if register is not None and answer.runs:
            rows = open_rows(posed, answer, (register.name, register.version), progress)
        checked.append(_checked(answer, register, certificate, rows, disputed_of(answer, rows)))
    return tuple(checked)


def _checked(
    answer: Answer,
    register: RegisterSaid | None,
    certificate: bytes | None,
    rows: tuple[Row, ...],
    disputed: Mapping[int, datetime],
) -> CheckedAnswer:
    assert answer.ask is not None
    return CheckedAnswer(
        answerer=answer.answerer,
        status=STATUS_NAMES[answer.status],
        decision=answer.decision,
        register=register,
        hits=answer.hits,
        count=answer.count,
        band=answer.band,
        rows=rows,
        attributes=answer.attributes,
        ask_index=answer.ask.index,
        release_index=answer.release.index if answer.release else None,
        certificate=certificate,
        received=answer,
        disputed=disputed,
    )


def _check_entries(me: Participant, posed: Posed, statement: Mapping[str, Any], answer: Answer) -> Mapping[str, Any]:
    """The body of the ask entry, once ask and release say what the answer says."""
    who, status = answer.answerer, STATUS_NAMES.get(answer.status)
    if status is None or answer.exchange != statement["request_id"]:
        raise broken(who, "it has a status or an exchange that this question cannot have")
    if answer.ask is None:
        raise broken(who, "it comes without the receipt of its ask entry")
    ask = me.entry(answer.ask, "ask")
    check_ask_entry(ask, posed.signed, who)
    _check_decision(ask, answer)
    if (status == "DENIED") == answer.decision.permitted:
        raise broken(who, "its status contradicts the logged decision")
    if status == "DENIED":
        if answer.release or answer.runs or answer.register or answer.result or answer.hits or answer.count is not None:
            raise broken(who, "a denial carries a result")
        return ask
    if answer.release is None:
        raise broken(who, "it comes without the receipt of its release entry")
    release = me.entry(answer.release, "release")
    check_release_entry(release, ask, answer.ask.index, status, who)
    _check_release(statement, release, answer, status)
    return ask


def check_ask_entry(entry: Mapping[str, Any], signed: SignedStatement, answerer: str) -> None:
    """Refuses an ask entry that is not about this signed question at this answerer. Raises RECEIPT_BROKEN."""
    statement = parse_canonical(signed.statement)
    if canonical_json(entry.get("statement")) != signed.statement:
        raise receipt_broken("its ask entry holds another statement than the one you signed")
    if entry.get("signature") != base64.b64encode(signed.signature).decode():
        raise receipt_broken("its ask entry holds another signature than yours")
    expected = {
        "exchange": statement["request_id"],
        "asker": statement["asker"],
        "principal": statement["principal"],
        "purpose": statement["purpose"],
        "answerer": answerer,
    }
    for name, value in expected.items():
        if entry.get(name) != value:
            raise receipt_broken(f"its ask entry says something else of {name}")


def check_release_entry(
    release: Mapping[str, Any], ask: Mapping[str, Any], ask_index: int, status: str, answerer: str
) -> None:
    """Refuses a release entry that does not belong to the ask entry and the status. Raises RECEIPT_BROKEN."""
    expected = {
        "exchange": ask["exchange"],
        "asker": ask["asker"],
        "answerer": answerer,
        "ask_index": ask_index,
        "status": status,
        "outcome": _OUTCOMES.get(status, "withheld"),
    }
    if status != "UNKNOWN":
        expected["register"] = ask.get("register")
    for name, value in expected.items():
        if release.get(name) != value:
            raise receipt_broken(f"its release entry says something else of {name}")


def _check_decision(ask: Mapping[str, Any], answer: Answer) -> None:
    logged, said = ask["decision"], answer.decision
    checks = [(check["id"], check["met"], check["reason"]) for check in logged["checks"]]
    same = (
        (logged["effect"] == "permit") == said.permitted
        and checks == [(check.id, check.met, check.reason) for check in said.checks]
        and ask["policy_set"] == said.policy_set
        and not (said.permitted and said.unmet)
    )
    if not same:
        raise broken(answer.answerer, "its decision is not the one in the log")


def _check_release(statement: Mapping[str, Any], release: Mapping[str, Any], answer: Answer, status: str) -> None:
    who, want = answer.answerer, statement["want"]
    answered = status == "ANSWERED"
    attributes = tuple(want["attributes"]) if answered else ()
    if answer.attributes != attributes or release["attributes"] != list(attributes):
        raise broken(who, "it holds other attributes than were asked")
    # a purpose that was closed meanwhile withholds whatever there was to say, that there is no register included
    live = answered and release["register"] is None
    if (answer.live is not None) != live:
        raise broken(who, "what its answerer signed is missing, or came where it should not")
    named = (status in _NAMES_REGISTER and not live) or (status == "WITHHELD" and release["register"] is not None)
    if (answer.register is not None) != named:
        raise broken(who, "it names a register where it should not, or names none where it should")
    if not answered and (answer.runs or answer.hits or answer.count is not None or answer.band):
        raise broken(who, "it carries a result that its status excludes")
    if answered and (want["count"] and (answer.runs or answer.hits)):
        raise broken(who, "a count came with rows")
    if answered and answer.hits and not answer.runs:
        raise broken(who, "it counts hits that it does not show")
    if answered and want["count"] == (answer.count is None and not answer.band):
        raise broken(who, "it lacks the count that was asked, or has one that was not")
    if release["result"] is None:
        if status != "UNKNOWN" or answer.result is not None:
            raise broken(who, "its release entry commits to no result")
        return
    if answer.result is None:
        raise broken(who, "the opening of its result commitment is missing")
    rows = rows_digest(answer.runs) if answered and not want["count"] else None
    value: dict[str, Any] = {"hits": answer.hits, "count": answer.count, "band": answer.band or None, "rows": rows}
    if any(answer.disputed):
        value["disputed"] = hashlib.sha256(encode(*answer.disputed)).hexdigest()
    check_result(release["result"], answer.result, who, value)


def check_result(committed: str, opening: Opening, who: str, expected: Mapping[str, Any]) -> None:
    """Refuses a result that is not the one a release entry commits to. Raises ANSWER_BROKEN."""
    if commitment("result", opening.salt, opening.value) != committed:
        raise broken(who, "its result is not the one that the log commits to")
    if parse_canonical(opening.value) != expected:
        raise broken(who, "what was received is not what the log says was released")


def disputed_of(answer: Answer, rows: Sequence[Row]) -> dict[int, datetime]:
    """Which hits are disputed, and since when. Raises ANSWER_BROKEN unless they are hits, each once, rising."""
    packed, since = answer.disputed
    positions = [int.from_bytes(packed[at : at + 4], "little") for at in range(0, len(packed), 4)]
    seconds = [int.from_bytes(since[at : at + 8], "little") for at in range(0, len(since), 8)]
    hits = {row.position for row in rows if row.status == "hit"}
    good = len(packed) == 4 * len(seconds) and len(since) == 8 * len(positions) and positions == sorted(set(positions))
    if not good or not hits.issuperset(positions) or any(moment >= _LAST_SECOND for moment in seconds):
        raise broken(answer.answerer, "it calls rows disputed that are no hits of it")
    moments = (datetime.fromtimestamp(moment, UTC) for moment in seconds)
    return dict(zip(positions, moments, strict=True))


def rows_digest(runs: Sequence[AnswerRun]) -> str:
    """The answer rows digest of docs/formats.md section 3."""
    digest = hashlib.sha256()
    for run in runs:
        digest.update(encode(run.positions, run.statuses, run.match_keys, run.wraps, run.commitments, *run.fields))
    return digest.hexdigest()


def _check_manifest(
    posed: Posed,
    statement: Mapping[str, Any],
    answer: Answer,
    facts: RegisterFacts,
    certificate: bytes,
    ask: Mapping[str, Any],
) -> RegisterSaid:
    """What the answerer signed of the register that answered."""
    who = answer.answerer
    manifest = verify(facts.manifest, certificate, REGISTER)
    asked = {name: statement[name] for name in ("origin", "environment", "purpose", "epoch", "scheme")}
    asked |= {"answerer": who, "version": facts.version, "key_id": statement["key_id"]}
    for name, value in asked.items():
        if manifest[name] != value:
            raise _refused(who, f"its {name} is not the one of the question")
    if manifest["match_keys"] < statement["match_keys"]:
        raise _refused(who, "it has fewer match keys than the question")
    name = f"{who}/{manifest['purpose']}/{manifest['epoch']}/{manifest['scheme']}"
    said = RegisterSaid(
        name,
        manifest["version"],
        parse_utc(manifest["as_of"]),
        parse_utc(manifest["expires_at"]),
        manifest["coverage"],
        manifest["rules"],
    )
    shown = (facts.name, facts.as_of, facts.expires_at, facts.coverage)
    if shown != (said.name, said.as_of, said.expires_at, said.coverage):
        raise _refused(who, "the broker says something else of it")
    digest = hashlib.sha256(facts.manifest.statement).hexdigest()
    if ask["register"] != {"name": name, "version": said.version, "manifest": digest}:
        raise _refused(who, "it is not the one that the log names")
    status = STATUS_NAMES[answer.status]
    expired = said.expires_at <= datetime.fromisoformat(ask["decided_at"])
    if expired != (status == "EXPIRED") and status != "WITHHELD":
        raise _refused(who, "its expiry contradicts the answer's status")
    if status == "ANSWERED":
        if not set(answer.attributes) <= set(manifest["attributes"]):
            raise _refused(who, "it does not hold the attributes of the answer")
        if any(manifest["rules"].get(rule) != value for rule, value in posed.view.rules.items()):
            raise _refused(who, "it does not declare the row rules that the policy demands")
    return said


def check_live(
    posed: Posed, statement: Mapping[str, Any], who: str, signed: SignedStatement, certificate: bytes
) -> RegisterSaid:
    """What a live answerer signed of its answer to this question. Raises MANIFEST_REFUSED, SIGNATURE_WRONG."""
    said = verify(signed, certificate, LIVE_ANSWER)
    same = ("origin", "environment", "purpose", "epoch", "scheme", "asker", "key_id", "tokens")
    asked = {name: statement[name] for name in same}
    asked |= {"answerer": who, "exchange": statement["request_id"], "attributes": statement["want"]["attributes"]}
    for name, value in asked.items():
        if said[name] != value:
            raise _refused(who, f"its {name} is not the one of the question")
    if who not in posed.view.answers_live:
        raise _refused(who, "the policy does not let it answer live")
    if said["match_keys"] < statement["match_keys"]:
        raise _refused(who, "it has fewer match keys than the question")
    if canonical_json(said["rules"]) != canonical_json(dict(posed.view.rules)):
        raise _refused(who, "it does not declare the row rules that the policy demands")
    return RegisterSaid(
        session_register(said),
        1,
        parse_utc(said["as_of"]),
        parse_utc(said["not_after"]),
        said["coverage"],
        said["rules"],
    )


def _refused(answerer: str, why: str) -> ClientError:
    text = f"the register manifest of {answerer} is refused: {why}"
    return ClientError("MANIFEST_REFUSED", text, Exit.VERIFICATION_FAILED)
