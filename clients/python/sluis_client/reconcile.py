"""Reconciliation: what the log says of this agency, held against what the agency itself signed and saw.

The log is the broker's word. An agency keeps its own (`journal`), and this compares the two: what stands in the log in
the agency's name and it did not make, and what was proven to it once and is not shown any more. Pure: entries go in,
findings come out; `reconciling` fetches them.

What nobody can tell from the log: whether a "no hit" was true. The log holds a salted commitment to the result, and the
answerer never learns which pseudonyms were asked, so that it cannot look them up in its own register either.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sluis_client.canonical import canonical_json
from sluis_client.errors import ClientError
from sluis_client.journal import Record
from sluis_client.statements import SignedStatement, verify

NOT_COMPARED = (
    (
        'whether a "no hit" was true: the log holds a salted commitment, and an answerer never learns which pseudonyms '
        "were asked; records with a known answer, asked on purpose, find it"
    ),
    "dry runs and refusals in this agency's name: nobody signs those",
)


@dataclass(frozen=True)
class Finding:
    """Something that does not fit. `grave` ones are contradictions; others only ask to be looked at."""

    code: str
    index: int
    text: str
    grave: bool = True


@dataclass
class Standing:
    """What is remembered of the entries before: enough to go on at `next_index`."""

    next_index: int = 0
    in_force: dict[str, list[Any] | None] = field(default_factory=dict)
    """Register -> version and manifest digest as the log has them in force, or None once withdrawn."""
    older: set[str] = field(default_factory=set)
    """Statements and request ids from before the journal began."""
    withdrawn: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """For the state directory."""
        return {
            "next_index": self.next_index,
            "in_force": self.in_force,
            "older": sorted(self.older),
            "withdrawn": dict(self.withdrawn),
        }

    @staticmethod
    def of(value: Mapping[str, Any]) -> Standing:
        """The inverse of `as_json`. Raises KeyError, TypeError."""
        return Standing(
            int(value["next_index"]), dict(value["in_force"]), set(value["older"]), Counter(value["withdrawn"])
        )


class Reconciler:
    """Holds entries, in the log's order, against a journal."""

    def __init__(self, party: str, certificate: bytes, record: Record, standing: Standing) -> None:
        self._party = party
        self._certificate = certificate
        self._record = record
        self._standing = standing
        known = sorted(record.entries.values(), key=lambda one: -one.index)
        # the first of each
        self._seen = {(one.kind, one.asker, one.exchange, one.answerer): one.index for one in known}
        self._released_to_us = set(self._seen)
        self._unheld: dict[tuple[str, str], Finding] = {}
        self._found: list[Finding] = []
        self._judges: dict[str, Callable[[int, Mapping[str, Any]], None]] = {
            "ask": self._ask,
            "release": self._release,
            "register": self._register,
            "key": self._key,
            "access": self._access,
        }
        self.counts: Counter[str] = Counter()
        self.asked_by: Counter[str] = Counter()
        self.before_journal = 0

    def take(self, index: int, kind: str, body: Mapping[str, Any]) -> None:
        """Holds one entry, whose place in the log was proven, against the journal."""
        self.counts[kind] += 1
        try:
            if index < self._record.log_size:
                self.before_journal += 1
                self._learn_older(kind, body)
            elif kind in self._judges:
                self._judges[kind](index, body)
        except (KeyError, TypeError, AttributeError, ClientError):
            self._fault("ENTRY_FORM", index, "this entry does not have the members of its kind")

    def findings(self) -> tuple[Finding, ...]:
        """What was found, in the log's order."""
        for one in self._record.doubled:
            self._fault("ENTRY_MISSING", one.index, "two different entries were proven under this index: two logs")
        return tuple(sorted([*self._found, *self._unheld.values()], key=lambda one: one.index))

    def _ask(self, index: int, body: Mapping[str, Any]) -> None:
        self._once("ask", index, body, "ASK_TWICE", "the same question is logged a second time")
        if body["answerer"] == self._party:
            self.asked_by[body["asker"]] += 1
            self._check_register(index, body, in_force=True)
        if body["asker"] != self._party:
            return
        if self._digest(body) not in self._record.signed:
            text = f"a question to {body['answerer']} under {body['purpose']} that was not signed here: "
            self._fault("ASK_NOT_MADE", index, text + self._whose_signature(body))

    def _release(self, index: int, body: Mapping[str, Any]) -> None:
        if body["answerer"] == self._party:
            self._check_register(index, body, in_force=False)
        self._once("release", index, body, "RELEASE_TWICE", "a second release of one exchange is logged")
        if body["asker"] != self._party:
            return
        exchange = body["exchange"]
        if exchange not in self._record.exchanges and exchange not in self._standing.older:
            self._fault("RELEASE_NOT_ASKED", index, f"a release by {body['answerer']} to a question not put here")
        elif (
            body["outcome"] == "authorised"
            and ("release", self._party, exchange, body["answerer"]) not in self._released_to_us
        ):
            text = (
                f"the log says that {body['answerer']} answered exchange {exchange}, and no such answer was received "
                "here: run its `match` again, or it was cut off and left so"
            )
            self._unheld[exchange, body["answerer"]] = Finding("ANSWER_NOT_RECEIVED", index, text, grave=False)

    def _once(self, kind: str, index: int, body: Mapping[str, Any], code: str, text: str) -> None:
        key = (kind, body["asker"], body["exchange"], body["answerer"])
        if self._seen.setdefault(key, index) != index:
            self._fault(code, index, f"{text}: the first is entry {self._seen[key]}")

    def _check_register(self, index: int, body: Mapping[str, Any], *, in_force: bool) -> None:
        named = body.get("register")
        if named is None:
            return
        name, version, manifest = named["name"], named["version"], named["manifest"]
        if manifest not in self._record.signed and manifest not in self._standing.older:
            text = f"{body['asker']} was answered from {name} version {version}, whose manifest was not signed here"
            self._fault("ANSWERED_FROM_UNKNOWN_REGISTER", index, text)
        elif in_force and self._standing.in_force.get(name) != [version, manifest]:
            text = f"{body['asker']} was answered from {name} version {version}, which was not in force any more"
            self._fault("ANSWERED_FROM_OLD_REGISTER", index, text)

    def _register(self, index: int, body: Mapping[str, Any]) -> None:
        name = body["register"]
        self._learn_register(body)
        if body["action"] == "withdrawn":
            if self._standing.withdrawn[name] > self._record.withdrawn[name]:
                text = f"a withdrawal of {name} that was not asked for here"
                self._fault("REGISTER_NOT_WITHDRAWN", index, text)
        elif self._digest(body) not in self._record.signed:
            text = f"{name} version {body['version']}, which was not published from here: "
            self._fault("REGISTER_NOT_PUBLISHED", index, text + self._whose_signature(body))

    def _key(self, index: int, body: Mapping[str, Any]) -> None:
        if body["party"] == self._party and self._digest(body) not in self._record.signed:
            text = "a key statement that was not made here: "
            self._fault("KEY_NOT_MADE", index, text + self._whose_signature(body))

    def _access(self, index: int, body: Mapping[str, Any]) -> None:
        exchange = body.get("exchange")
        if exchange is None or body.get("what") != "answer-repeated" or body["party"] != self._party:
            return
        if exchange not in self._record.exchanges and exchange not in self._standing.older:
            self._fault("REPEAT_NOT_ASKED", index, "an answer given again, of a question that was not put here")

    def _learn_older(self, kind: str, body: Mapping[str, Any]) -> None:
        """Takes what stands before the journal as it is: there is nothing to hold against it."""
        if kind == "register":
            self._learn_register(body)
            if body["action"] == "withdrawn":
                self._standing.withdrawn[body["register"]] -= 1
            else:
                self._standing.older.add(self._digest(body))
        elif kind == "ask" and body["asker"] == self._party:
            self._standing.older.add(body["exchange"])

    def _learn_register(self, body: Mapping[str, Any]) -> None:
        withdrawn = body["action"] == "withdrawn"
        self._standing.in_force[body["register"]] = None if withdrawn else [body["version"], self._digest(body)]
        if withdrawn:
            self._standing.withdrawn[body["register"]] += 1

    def _digest(self, body: Mapping[str, Any]) -> str:
        return hashlib.sha256(canonical_json(body["statement"])).hexdigest()

    def _whose_signature(self, body: Mapping[str, Any]) -> str:
        statement = body["statement"]
        try:
            signed = SignedStatement(canonical_json(statement), base64.b64decode(body["signature"], validate=True))
            verify(signed, self._certificate, str(statement.get("type")))
        except (ClientError, binascii.Error):
            return "your certificate's key did not sign it; the broker or an older key of yours made it up"
        return (
            "it is signed with your certificate's key. Another machine of yours (give its journal), a state directory "
            "put back from a backup, or somebody who has your key"
        )

    def _fault(self, code: str, index: int, text: str) -> None:
        plain = "".join(character if character.isprintable() else "?" for character in text)
        self._found.append(Finding(code, index, plain))
