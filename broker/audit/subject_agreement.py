"""An agency's signed answer to a person, held against what an auditor found for the same person in the same log.

The broker searched for the agency; here the vault was searched without it. An exchange that the vault shows and the
answer does not is one that the broker overlooked, or that the agency left out of its file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from broker.audit import strict_json
from broker.audit.callers import is_signed
from broker.audit.openings import commitment_to
from broker.audit.person_file import Person
from broker.audit.subject import Period, Search, SubjectFound

ANSWER_FORMAT = "sluis-client/subject-answer/1"
MAX_BYTES = 64 << 20
OTHER_PERSON, OVERLOOKED, UNFOUNDED, NOT_ANSWERED, TOLD_OTHERWISE = (
    "other-person",
    "overlooked",
    "unfounded",
    "not-answered",
    "told-otherwise",
)
WORDS = {
    OTHER_PERSON: "the search in the log was for another person than the one in the file",
    OVERLOOKED: "the vault shows the person in this exchange, asked about before the search; the answer does not",
    UNFOUNDED: "the answer names this exchange; the vault shows that the person is not in it",
    NOT_ANSWERED: "the vault shows the person in this exchange; the answer searched nothing in this period",
    TOLD_OTHERWISE: "the answer says something else of this exchange than the log",
}
_TOLD = ("exchange", "asked_at", "asker", "principal", "answerer", "subjects", "want")


class AnswerError(ValueError):
    """Not an answer that can be compared; the text says why."""


@dataclass(frozen=True)
class Difference:
    """One disagreement. `index`: of the ask, None where it is of the whole period."""

    what: str
    purpose: str
    epoch: str
    index: int | None


@dataclass(frozen=True)
class Agreement:
    """What came of the comparison. `agreed`: exchanges that both name; later ones than the search are not compared."""

    made_at: str
    agreed: int
    differences: tuple[Difference, ...]


def compare(data: bytes, person: Person, search: Search, found: SubjectFound) -> Agreement:
    """Holds an agency's answer file against what `search`, which has run, found for `person`.

    That the log holds the answer's receipts is for `verify` to say, which takes the file as `--expect`.

    Raises:
        AnswerError: for a file of another form, another party or log, or with a wrong signature.
    """
    try:
        value = json.loads(data)
        answer = value["answer"]
        _check_signature(value, answer, person)
        told = dict(_epochs(answer))
        mine = {(one.purpose, one.epoch): one for one in found.periods}
        agreed, differences = 0, []
        for key in sorted(told.keys() | mine.keys()):
            same, other = _compare_period(told.get(key), mine.get(key), key, person, search)
            agreed += same
            differences += other
        return Agreement(str(answer["made_at"]), agreed, tuple(differences))
    except AnswerError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise AnswerError("it is no answer as `sluis-client subject` writes it") from None


def _check_signature(value: Mapping[str, Any], answer: Mapping[str, Any], person: Person) -> None:
    if answer["format"] != ANSWER_FORMAT:
        raise AnswerError("it is no answer as `sluis-client subject` writes it")
    here = (person.party, person.origin, person.environment)
    if (answer["party"], answer["origin"], answer["environment"]) != here:
        raise AnswerError("it is of another party or log than the file of the person")
    try:
        certificate = base64.b64decode(value["certificate"], validate=True)
        stated = strict_json.read(value["statement"].encode())
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (strict_json.NotCanonicalError, binascii.Error):
        raise AnswerError("its signature cannot be read") from None
    if hashlib.sha256(certificate).hexdigest() != person.certificate:
        raise AnswerError("it is signed with another certificate than the file of the person: ask for both anew")
    digest = hashlib.sha256(strict_json.write(answer)).hexdigest()
    if not is_signed(stated, value["signature"], key) or (stated["type"], stated["answer"]) != (
        "sluis/v1/subject-answer",
        digest,
    ):
        raise AnswerError("it is not what the agency signed")


def _epochs(answer: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    for purpose in answer["purposes"]:
        for epoch in purpose["epochs"]:
            yield (str(purpose["purpose"]), str(epoch["epoch"])), epoch


def _compare_period(
    told: Mapping[str, Any] | None, mine: Period | None, key: tuple[str, str], person: Person, search: Search
) -> tuple[int, list[Difference]]:
    """How many exchanges of a period both name, and in what they differ."""
    own = {one["ask_index"]: one for one in (mine.exchanges if mine else ()) if _takes_part(one, person.party)}
    if told is None:
        return 0, [Difference(NOT_ANSWERED, *key, index) for index in own]
    leaf = strict_json.read(base64.b64decode(told["search"]["leaf"], validate=True))
    sought = next((one for one in person.sought if (one.purpose, one.epoch) == key), None)
    if sought is None:
        return 0, []  # no pseudonyms were given to compare with
    committed = commitment_to("subject", bytes.fromhex(told["salt"]), sought.value).hex()
    if leaf["body"]["statement"]["pseudonyms"] != committed:
        return 0, [Difference(OTHER_PERSON, *key, None)]
    named = {one["ask"]["index"]: one for one in told["exchanges"]}
    different = [Difference(OVERLOOKED, *key, index) for index in own if index < leaf["index"] and index not in named]
    for index, one in named.items():
        if index in own and any(own[index][name] != one[name] for name in _TOLD):
            different.append(Difference(TOLD_OTHERWISE, *key, index))
        elif index not in own:
            asked = strict_json.read(base64.b64decode(one["ask"]["leaf"], validate=True))["body"]
            if search.clears(asked["statement"]["tokens"], *key):
                different.append(Difference(UNFOUNDED, *key, index))
    return len(named.keys() & own.keys()), different


def _takes_part(told: Mapping[str, Any], party: str) -> bool:
    return party in (told["asker"], told["principal"], told["answerer"])
