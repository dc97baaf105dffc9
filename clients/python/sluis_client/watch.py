"""Standing questions, as this agency keeps them: what to put again, and how the last answer stood.

Of an answer no attribute is kept: for each subject that was a hit a fingerprint under a key that never leaves here,
which shows whether anything changed. What changed is kept only until it was told.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sluis_client.answer_file import STATUS_WORDS, must_check
from sluis_client.answers import CheckedAnswer
from sluis_client.ask import Plan
from sluis_client.errors import ClientError
from sluis_client.keystore import Keystore
from sluis_client.normalised import Keys
from sluis_client.schemes import Scheme
from sluis_client.statements import utc
from sluis_client.transport import Want

KIND = "watches"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Source:
    """Where the subjects stand: a file of the agency, read anew each time, and how. `reference`: a column that notices
    name a row by; "" for the line alone."""

    file: str
    columns: Mapping[str, str]
    reference: str = ""
    strict: bool = False
    restore_zeros: bool = False
    delimiter: str | None = None
    encoding: str | None = None


@dataclass
class Known:
    """How an answerer last answered. `version`: of its register, 0 before any; `looked`: the newest that was asked."""

    version: int = 0
    looked: int = 0
    status: str = ""
    states: dict[str, str] = field(default_factory=dict)
    """Position -> fingerprint of what was told of a subject; one that is left out was no hit."""


@dataclass
class Watch:
    """A standing question. `first`, `epoch`, `asked_at`: of the question that stands; `since`: when it was added;
    `subjects`: fingerprint of whom it is about; `untold`: notices that were not told to the end."""

    name: str
    plan: Plan
    source: Source
    subjects: str
    first: str
    epoch: str
    asked_at: str
    since: str
    out: str
    known: dict[str, Known] = field(default_factory=dict)
    untold: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """One subject of which something else is known now. `row`: its line in the file; `position`: in the question.

    `before`: "no hit", "hit", or "" where the answerer had not answered; `now`: what it is, an entry for each record.
    """

    row: int
    reference: str
    position: int
    before: str
    now: Sequence[Mapping[str, Any]]


def new_name(keystore: Keystore, wanted: str) -> str:
    """A name for a watch. Raises USAGE, WATCH_EXISTS."""
    name = wanted or secrets.token_hex(4)
    if not _NAME.fullmatch(name):
        raise ClientError("USAGE", "--name has lower-case letters, digits and hyphens, at most 40")
    if keystore.record(KIND, name) is not None:
        raise ClientError("WATCH_EXISTS", f"there is a watch named {name}; give another --name, or remove that one")
    return name


def keep(keystore: Keystore, watch: Watch) -> None:
    """Stores a watch, on disk on return."""
    keystore.keep_record(KIND, watch.name, asdict(watch))


def load(keystore: Keystore, name: str) -> Watch:
    """A watch by its name. Raises WATCH_UNKNOWN, STATE_UNREADABLE."""
    value = keystore.record(KIND, name) if _NAME.fullmatch(name) else None
    if value is None:
        raise ClientError("WATCH_UNKNOWN", "there is no watch of that name; see `sluis-client watch list`")
    stored = value.pop("plan")
    want = Want(stored["want"]["hit"], stored["want"]["count"], tuple(stored["want"]["attributes"]))
    plan = Plan(**{**stored, "want": want, "answerers": tuple(stored["answerers"])})
    known = {name: Known(**one) for name, one in value.pop("known").items()}
    return Watch(**{**value, "plan": plan, "source": Source(**value.pop("source")), "known": known})


def fingerprint_of(keystore: Keystore, keys: Sequence[Keys]) -> str:
    """Names the subjects of a file, in their order, without telling of them."""
    return keystore.fingerprint(b"watch", json.dumps([list(key) for key in keys]).encode())


def states_of(answer: CheckedAnswer, scheme: Scheme) -> dict[str, list[dict[str, Any]]]:
    """What an answer says of each subject, by position; of one that is left out it says "no hit"."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in answer.rows:
        state = {
            "status": row.status,
            "match_key": row.match_key,
            "human_check": must_check(answer, row, scheme),
            "disputed_since": utc(answer.disputed[row.position]) if row.position in answer.disputed else None,
            "values": dict(sorted(row.values.items())),
        }
        found.setdefault(str(row.position), []).append(state)
    return {place: sorted(states, key=lambda one: json.dumps(one, sort_keys=True)) for place, states in found.items()}


def compare(
    keystore: Keystore, known: Known, states: Mapping[str, Sequence[Mapping[str, Any]]]
) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """The fingerprints to keep, and of each position that changed what it was before, by position."""
    fresh = {place: _fingerprint(keystore, place, said) for place, said in states.items()}
    changed = []
    for place in sorted({*fresh, *known.states}, key=int):
        before = known.states.get(place)
        if before != fresh.get(place):
            was = "" if not known.version else "no hit" if before is None else "hit"
            changed.append((int(place), was))
    return fresh, changed


def words_of(state: Mapping[str, Any]) -> str:
    """What is known of a subject now, in words."""
    values = ", ".join(f"{name} {value}" for name, value in state["values"].items())
    said = f"{state['status']}{f' ({values})' if values else ''}"
    said += ", disputed" if state["disputed_since"] else ""
    return said + (", a person must check it" if state["human_check"] else "")


def status_words(status: str) -> str:
    """A status of an answerer, in words."""
    return STATUS_WORDS.get(status, "answered")


def _fingerprint(keystore: Keystore, place: str, states: Sequence[Mapping[str, Any]]) -> str:
    # whether a person must look is the policy's word and not the answerer's
    said = [{name: value for name, value in state.items() if name != "human_check"} for state in states]
    return keystore.fingerprint(b"watched", place.encode(), json.dumps(said, sort_keys=True).encode())
