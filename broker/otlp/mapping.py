"""What each log entry is in the two Dutch standards. Pure: entries and policy sets in, OTLP records out.

Logboek Dataverwerkingen: a span for every `ask` and, below it, one for its `release`; with a `SubjectNames` also one
for each data subject. Authorization Decision Log: one record for every decision, enforced or not. No officials, no case
numbers, no results, and never a pseudonym as the log's parties know it.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from broker.audit.entries import LogEntry, read_entry, read_time
from broker.canonical import encode
from broker.otlp.encoding import ERROR, INTERNAL, LOGS, SERVER, TRACES, attributes, nanoseconds, span_id, trace_id
from broker.otlp.tokens import subjects

Record = tuple[str, dict[str, Any]]
"""Signal and record."""
_FAILED = frozenset({"failed", "unknown"})
_ZERO_TRACE = "0" * 32
_MEANINGS_KEPT = 32


@dataclass(frozen=True)
class SubjectNames:
    """How data subjects are named in spans: a keyed pseudonym of a pseudonym, under a key of this export alone."""

    key: bytes
    tokens: Callable[[str], bytes | None]
    """From a commitment to the tokens value behind it; None once erased or never kept."""

    def name(self, purpose: str, epoch: str, pseudonym: bytes) -> str:
        """32 hex digits."""
        message = encode(b"sluis/v1/exported-subject", purpose.encode(), epoch.encode(), pseudonym)
        return hmac.digest(self.key, message, sha256)[:16].hex()


class EntryMapping:
    """Maps the entries of one log.

    `leaf`: an earlier entry's bytes by index. `policy_set`: an archived bundle by digest, None when it is not there.
    `party_url`: a URL with `{party}` in it, by which `dpl.core.foreign_operation.processor` names who asked.
    """

    def __init__(
        self,
        origin: str,
        *,
        leaf: Callable[[int], bytes],
        policy_set: Callable[[str], bytes | None],
        party_url: str,
        names: SubjectNames | None = None,
    ) -> None:
        self._origin = origin
        self._leaf = leaf
        self._party_url = party_url
        self._names = names

        @lru_cache(maxsize=_MEANINGS_KEPT)
        def meaning(digest: str) -> Mapping[str, Any]:
            bundle = policy_set(digest)
            return {} if bundle is None else json.loads(bundle)["meaning"]

        self._meaning = meaning

    def records(self, leaf: bytes) -> Iterator[Record]:
        """The records of an entry, always the same for the same entry and options. Raises EntryError."""
        entry = read_entry(leaf)
        if entry.kind == "ask":
            yield from self._ask(entry, leaf)
        elif entry.kind == "release":
            yield self._release(entry, leaf)
        elif entry.kind == "evaluation" and "key_service" not in entry.body:
            yield self._evaluation(entry, leaf)

    def _ask(self, ask: LogEntry, leaf: bytes) -> Iterator[Record]:
        body = ask.body
        trace, parent = self._trace(ask), span_id(self._origin, ask.index, leaf)
        started = read_time(body["decided_at"])
        tokens = self._names.tokens(body["statement"]["tokens"]) if self._names is not None else None
        kept = "not exported" if self._names is None else "not kept" if tokens is None else "exported"
        yield (
            TRACES,
            self._span(
                ask,
                "",
                trace=trace,
                span=parent,
                name=f"question under {body['purpose']}: {body['decision']['effect']}",
                times=(started, ask.at),
                values={
                    **self._processing(body),
                    "sluis.subjects": body["statement"]["subjects"],
                    "sluis.subjects_state": kept,
                },
            ),
        )
        yield LOGS, self._decision(ask, trace, parent, body)
        if self._names is None or tokens is None:
            return
        statement = body["statement"]
        for number, pseudonym in subjects(tokens, statement["match_keys"], statement["subjects"]):
            subject: dict[str, object] = {
                "dpl.core.data_subject_id": self._names.name(body["purpose"], statement["epoch"], pseudonym),
                "dpl.core.data_subject_id_type": f"pseudonym/{statement['scheme']}",
            }
            yield (
                TRACES,
                self._span(
                    ask,
                    f"/{number}",
                    trace=trace,
                    span=span_id(self._origin, ask.index, leaf, number),
                    parent=parent,
                    name=f"subject of a question under {body['purpose']}",
                    times=(started, ask.at),
                    values={**self._processing(body), **subject},
                ),
            )

    def _release(self, release: LogEntry, leaf: bytes) -> Record:
        ask_leaf = self._leaf(release.body["ask_index"])
        ask = read_entry(ask_leaf)
        return TRACES, self._span(
            release,
            "",
            trace=self._trace(ask),
            span=span_id(self._origin, release.index, leaf),
            parent=span_id(self._origin, ask.index, ask_leaf),
            name=f"answer under {ask.body['purpose']}: {release.body['status']}",
            times=(ask.at, release.at),
            values=self._processing(ask.body),
            failed=release.body["outcome"] in _FAILED,
            kind=INTERNAL,
        )

    def _evaluation(self, entry: LogEntry, leaf: bytes) -> Record:
        """What a purpose in shadow would have decided, or a dry run: decisions that nothing followed from."""
        body, span = entry.body, span_id(self._origin, entry.index, leaf)
        if "shadow_of" in body:
            ask = read_entry(self._leaf(body["ask_index"]))
            shown = {**ask.body, **{name: body[name] for name in ("purpose", "decision", "policy_set", "engine")}}
            return LOGS, self._decision(entry, self._trace(ask), span, shown, enforced=False)
        trace = trace_id(self._origin, b"%d" % entry.index, leaf)
        place = self._place(entry.index)
        evaluations = [{"resource": _register(name, body["purpose"])} for name in body["answerers"]]
        decisions = [{"decision": effect == "permit"} for effect in body["effects"]]
        raw = {
            "adl.core.request": {
                "subject": {"type": "party", "id": body["party"]},
                "action": {"name": "match", "properties": {"purpose": body["purpose"]}},
                "evaluations": evaluations,
                "context": {"time": body["decided_at"]},
            },
            "adl.core.response": {"evaluations": decisions},
        }
        sources = {"adl.core.policies": place, "adl.core.information": place, "sluis.enforced": False}
        return LOGS, self._log(
            entry, trace, span, "adl.access_evaluations", read_time(body["decided_at"]), raw, sources
        )

    def _decision(
        self, entry: LogEntry, trace: str, span: str, body: Mapping[str, Any], *, enforced: bool = True
    ) -> dict[str, Any]:
        statement, decision, facts = body["statement"], body["decision"], body["facts"]
        known = self._meaning(body["policy_set"])
        parties = known.get("catalogue", {}).get("parties", {})
        want = [*statement["want"]["attributes"], *(name for name in ("hit", "count") if statement["want"][name])]
        raw = {
            "adl.core.request": {
                "subject": _party(parties, body["asker"], on_behalf_of=body["principal"]),
                "action": {
                    "name": "match",
                    "properties": {"purpose": body["purpose"], "processing_activity_id": self._activity(body)},
                },
                "resource": _register(
                    body["answerer"],
                    body["purpose"],
                    answers=_party(parties, body["answerer"]),
                    identified_by=statement["scheme"],
                    match_keys=statement["match_keys"],
                    epoch=statement["epoch"],
                    subjects=statement["subjects"],
                    want=sorted(want),
                ),
                "context": {
                    "time": body["decided_at"],
                    "case_number": facts.get("case_number"),
                    "cooperation_ref": facts.get("cooperation_ref"),
                },
            },
            "adl.core.response": {
                "decision": decision["effect"] == "permit",
                "context": {
                    "reason_admin": {c["id"]: c["reason"] for c in decision["checks"] if not c["met"]},
                    "obligations": decision["obligations"],
                },
            },
        }
        sources: dict[str, object] = {
            "adl.core.policies": {"policy_set": body["policy_set"]},
            "adl.core.information": self._place(entry.index),
            "adl.core.configuration": {"engine": body["engine"]},
            "sluis.enforced": enforced,
        }
        at = read_time(body["decided_at"])
        return self._log(entry, trace, span, "adl.access_evaluation", at, raw, sources)

    def _log(
        self,
        entry: LogEntry,
        trace: str,
        span: str,
        event: str,
        at: datetime,
        raw: Mapping[str, object],
        sources: Mapping[str, object],
    ) -> dict[str, Any]:
        """A record of the Authorization Decision Log: raw data in the body, references in attributes, none in both."""
        values = {"status": "Unset", **sources, "log.record.uid": f"{self._origin}/{entry.index}"}
        return {
            "timeUnixNano": nanoseconds(at),
            "observedTimeUnixNano": nanoseconds(entry.at),
            "eventName": event,
            "traceId": trace,
            "spanId": span,
            "attributes": attributes(values),
            "body": {"kvlistValue": {"values": attributes(raw)}},
        }

    def _span(
        self,
        entry: LogEntry,
        subject: str,
        *,
        trace: str,
        span: str,
        name: str,
        times: tuple[datetime, datetime],
        values: Mapping[str, object],
        parent: str | None = None,
        failed: bool = False,
        kind: int = SERVER,
    ) -> dict[str, Any]:
        """A record of the Logboek Dataverwerkingen."""
        uid = {"log.record.uid": f"{self._origin}/{entry.index}{subject}"}
        made: dict[str, Any] = {
            "traceId": trace,
            "spanId": span,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": nanoseconds(times[0]),
            "endTimeUnixNano": nanoseconds(times[1]),
            "attributes": attributes({**values, **uid}),
            "status": {"code": ERROR} if failed else {},
        }
        if parent is not None:
            made["parentSpanId"] = parent
        return made

    def _processing(self, ask: Mapping[str, Any]) -> dict[str, object]:
        processor = self._party_url.replace("{party}", ask["asker"])
        return {
            "dpl.core.processing_activity_id": self._activity(ask),
            "dpl.core.foreign_operation.processor": processor,
        }

    def _activity(self, ask: Mapping[str, Any]) -> str | None:
        """The processing activity of the purpose in the set that decided; None for a purpose that it does not know."""
        purpose = self._meaning(ask["policy_set"]).get("purposes", {}).get(ask["purpose"], {})
        activity = purpose.get("processing_activity")
        return activity if isinstance(activity, str) else None

    def _trace(self, ask: LogEntry) -> str:
        """The asker's own trace, else one for all answerers of the exchange."""
        given = ask.body["trace_id"]
        if given and given != _ZERO_TRACE:
            return str(given)
        return trace_id(self._origin, ask.body["asker"].encode(), ask.body["exchange"].encode())

    def _place(self, index: int) -> dict[str, object]:
        return {"exchange_log": {"origin": self._origin, "index": index}}


def _party(parties: Mapping[str, Any], name: str, on_behalf_of: str | None = None) -> dict[str, Any]:
    known = parties.get(name)
    properties = {"name": name} if on_behalf_of is None else {"name": name, "on_behalf_of": on_behalf_of}
    if known is None:
        return {"type": "party", "id": name, "properties": properties}
    return {"type": "oin", "id": known["oin"], "properties": properties}


def _register(answerer: str, purpose: str, **properties: object) -> dict[str, Any]:
    return {"type": "register", "id": f"{answerer}/{purpose}", "properties": properties}
