"""Subject access (GDPR article 15): every exchange of this agency whose question held a person's pseudonym.

The agency computes the person's pseudonyms under every purpose and epoch whose key it still keeps; the broker looks for
them in the agency's own exchanges and logs that it looked. "Touched" means: the person's pseudonym was among the
subjects asked about. Whether the answer held a hit for the person, the log does not say.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sluis_client.answers import check_release_entry
from sluis_client.canonical import SALT_BYTES, canonical_json, commitment, parse_canonical, tokens_value
from sluis_client.epochs import calendar_of, epoch_name, epoch_window, generation_of
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import EpochKey
from sluis_client.making import maker_of_kept
from sluis_client.normalised import Keys
from sluis_client.participant import Participant
from sluis_client.pseudonymise import Column
from sluis_client.receipt_file import receipt_json
from sluis_client.receipts import receipt_broken
from sluis_client.register_table import keys_used, scheme_named
from sluis_client.schemes import Scheme
from sluis_client.statement_shapes import SUBJECT_SEARCH
from sluis_client.statements import utc
from sluis_client.subject_transport import SubjectFound, Touched

FORMAT = "sluis-client/subject-answer/1"
_NO_PSEUDONYM = frozenset({"NOT_EVALUATED", "SERVICE_KEYS_MISSING", "SERVICE_KEY_WRONG", "EPOCH_RETIRED"})
"""Mode `oblivious`, an epoch that ended, or a key that was replaced: nothing of the person was evaluated under it, or
its values are destroyed. The last two: what services say of a key whose end this agency has not heard of."""
_VALID = timedelta(minutes=9)


@dataclass(frozen=True)
class Sought:
    """Who is looked for: the match keys of one person under a scheme. `purposes` (): all."""

    scheme: str
    keys: Keys
    purposes: tuple[str, ...] = ()


def answer(me: Participant, sought: Sought) -> dict[str, Any]:
    """What this agency can tell the person (docs/formats.md, Subject access). Holds no identifier and no pseudonym.

    Raises:
        ClientError: SCHEME_UNKNOWN, PURPOSE_UNKNOWN, NOTHING_TO_SEARCH; what the broker refuses; RECEIPT_BROKEN,
            LOG_FORKED, LOG_SHRUNK.
    """
    scheme = scheme_named(sought.scheme)
    notes: list[str] = []
    purposes = [
        _purpose(me, name, scheme, sought.keys, notes) for name in purposes_of(me, sought.scheme, sought.purposes)
    ]
    if not purposes:
        raise ClientError(
            "NOTHING_TO_SEARCH", f"you take part in no purpose that identifies by {sought.scheme}: nothing was searched"
        )
    if notes:
        me.follow(list(dict.fromkeys(notes)))
    profile = me.profile
    return {
        "format": FORMAT,
        "party": profile.party,
        "origin": profile.origin,
        "environment": profile.environment,
        "made_at": utc(me.now()),
        "scheme": sought.scheme,
        "policy_set": me.policy.digest,
        "purposes": purposes,
    }


def purposes_of(me: Participant, scheme: str, chosen: Sequence[str]) -> tuple[str, ...]:
    """Purposes of the policy in which this agency takes part with that scheme, and those it only keeps keys of."""
    party, found = me.profile.party, set()
    for name in me.policy.purposes():
        view = me.purpose(name)
        principals = {principal for _, principal in view.on_behalf_of}
        if scheme in view.schemes and party in {*view.participants, *principals}:
            found.add(name)
    found |= {key.purpose for key in me.keystore.epoch_keys()} - set(me.policy.purposes())
    for name in chosen:
        if name not in found:
            text = f"{name} is no purpose in which you take part with {scheme}; leave --purpose out to search all"
            raise ClientError("PURPOSE_UNKNOWN", text)
    return tuple(sorted(set(chosen) or found))


def _purpose(me: Participant, name: str, scheme: Scheme, keys: Keys, notes: list[str]) -> dict[str, Any]:
    kept = kept_keys(me, name)
    told: dict[str, Any] = {"purpose": name, "title": {}, "legal_basis": None, "citation": None}
    told["vault_keep_days"] = None
    missing: list[dict[str, str]] = []
    if name in me.policy.purposes():
        account = me.policy.account(name)
        told["title"] = dict(account.title)
        told["legal_basis"], told["citation"] = account.legal_basis, account.citation
        told["vault_keep_days"] = account.vault_keep_days
        missing = list(_without_key(me, name, {key.epoch for key in kept}, account.vault_keep_days))
    epochs, unknown = [], []
    for key in kept:
        columns = pseudonyms_of(me, key, scheme, keys)
        if columns is None:
            unknown.append({"epoch": key.epoch, "from": utc(key.valid_from), "until": utc(key.valid_until)})
        else:
            epochs.append(_epoch(me, key, scheme, columns, notes))
    told |= {"epochs": epochs, "keys_missing": missing}
    return told | ({"not_evaluated": unknown} if unknown else {})


def _without_key(me: Participant, purpose: str, kept: set[str], days: int) -> Iterator[dict[str, str]]:
    """Epochs that had a key, which is not kept here, and whose rows may still be held: newest first."""
    view = me.purpose(purpose)
    kind, moment = view.epoch_kind, me.now()
    oldest = moment - timedelta(days=days + view.overlap_days)
    while True:
        name = epoch_name(kind, moment)
        begins, ends = epoch_window(name, kind)
        if ends <= oldest:
            return
        last = _last_key(me, purpose, name)
        for number in range(1, last + 1):
            key = name if number == 1 else f"{name}.{number}"
            if key not in kept:
                yield {"epoch": key, "from": utc(begins), "until": utc(ends)}
        moment = begins - timedelta(seconds=1)


def _last_key(me: Participant, purpose: str, calendar: str) -> int:
    """How many keys a period has had; 0 when it had none."""
    try:
        return generation_of(me.transport.epoch(purpose, calendar).newest)
    except ClientError as error:
        if error.code in ("EPOCH_UNKNOWN", "PURPOSE_UNKNOWN"):
            return 0  # never published; or this agency is a principal, whose processor holds the keys
        raise


def kept_keys(me: Participant, purpose: str) -> list[EpochKey]:
    """The keys of a purpose's epochs, past ones too, that are kept here."""
    return [key for key in me.keystore.epoch_keys() if key.purpose == purpose and key.published]


def pseudonyms_of(me: Participant, key: EpochKey, scheme: Scheme, keys: Keys) -> tuple[Column, ...] | None:
    """The pseudonyms of one person under a purpose and epoch: a column of one row for each match key.

    None in mode `oblivious` for an epoch that is over, or a key that was replaced, under which this agency had nothing
    of the person evaluated.

    Raises:
        ClientError: as `making.maker_of_kept`.
    """
    used = keys_used(me, key.purpose, scheme)
    try:
        return maker_of_kept(me, key, scheme.scheme_id).columns([keys[:used]], used)
    except ClientError as error:
        ended = me.now() >= key.valid_until or error.code == "NOT_EVALUATED"
        if error.code in _NO_PSEUDONYM and (ended or _is_replaced(me, key)):
            return None
        raise


def _is_replaced(me: Participant, key: EpochKey) -> bool:
    return _last_key(me, key.purpose, calendar_of(key.epoch)) > generation_of(key.epoch)


def _epoch(
    me: Participant, key: EpochKey, scheme: Scheme, columns: tuple[Column, ...], notes: list[str]
) -> dict[str, Any]:
    salt = os.urandom(SALT_BYTES)
    found, entry = _search(me, key, scheme, columns, salt)
    notes.append(found.receipt.checkpoint)
    exchanges = [_exchange(me, key, one, notes) for one in found.touched]
    return {
        "epoch": key.epoch,
        "from": utc(key.valid_from),
        "until": utc(key.valid_until),
        "searched": found.searched,
        "not_searched": [
            {"why": one.why, "questions": one.questions, "first": utc(one.first), "last": utc(one.last)}
            for one in found.unsearched
        ],
        "searched_at": entry["sequenced_at"],
        "search": receipt_json(found.receipt),
        "salt": salt.hex(),
        "exchanges": exchanges,
    }


def _search(
    me: Participant, key: EpochKey, scheme: Scheme, columns: tuple[Column, ...], salt: bytes
) -> tuple[SubjectFound, dict[str, Any]]:
    """One search, signed, and its entry."""
    statement = {
        "type": SUBJECT_SEARCH,
        "origin": me.profile.origin,
        "environment": me.profile.environment,
        "request_id": str(uuid.uuid4()),
        "party": me.profile.party,
        "purpose": key.purpose,
        "epoch": key.epoch,
        "key_id": key.key_id,
        "scheme": scheme.name,
        "match_keys": len(columns),
        "pseudonyms": commitment("subject", salt, tokens_value(columns)),
        "not_after": utc(me.now() + _VALID),
    }
    signed = me.sign(statement)
    found = me.transport.search_subject(signed, salt, columns)
    expected = {
        "what": "subject-search",
        "party": me.profile.party,
        "purpose": key.purpose,
        "epoch": key.epoch,
        "exchange": None,
        "searched": found.searched,
        "unsearched": sum(one.questions for one in found.unsearched),
    }
    body = me.entry(found.receipt, "access")
    for name, value in expected.items():
        if name not in body or canonical_json(body[name]) != canonical_json(value):
            raise receipt_broken(f"the entry of the search says something else of {name}")
    if canonical_json(body.get("statement")) != signed.statement:
        raise receipt_broken("the entry of the search holds another statement than the one you signed")
    me.hold([found.receipt])
    me.caused(found.receipt)
    return found, parse_canonical(found.receipt.leaf)


def _exchange(me: Participant, key: EpochKey, one: Touched, notes: list[str]) -> dict[str, Any]:
    ask = me.entry(one.ask, "ask")
    release = None if one.release is None else me.entry(one.release, "release")
    told = exchange_told(ask, parse_canonical(one.ask.leaf), release, one, me.profile.party)
    if (ask["purpose"], ask["statement"].get("epoch")) != (key.purpose, key.epoch):
        raise receipt_broken("an exchange is of another purpose or epoch than was searched")
    notes.append(one.ask.checkpoint)
    if one.release is not None:
        notes.append(one.release.checkpoint)
    return told


def exchange_told(
    ask: dict[str, Any], leaf: dict[str, Any], release: dict[str, Any] | None, one: Touched, party: str
) -> dict[str, Any]:
    """What a person is told of an exchange, from the entries that its receipts prove. Raises RECEIPT_BROKEN."""
    if party not in (ask["asker"], ask["principal"], ask["answerer"]):
        raise receipt_broken(f"entry {one.ask.index} is of an exchange between others")
    denied = ask["decision"]["effect"] == "deny"
    if release is not None:
        if denied:
            raise receipt_broken("it holds a release of an ask that was denied")
        check_release_entry(release, ask, one.ask.index, str(release["status"]), str(ask["answerer"]))
    statement = ask["statement"]
    return {
        "exchange": ask["exchange"],
        "asked_at": leaf["sequenced_at"],
        "asker": ask["asker"],
        "principal": ask["principal"],
        "answerer": ask["answerer"],
        "subjects": statement["subjects"],
        "want": statement["want"],
        "status": "DENIED" if denied else "OPEN" if release is None else release["status"],
        "released_at": None if one.release is None else parse_canonical(one.release.leaf)["sequenced_at"],
        "attributes": [] if release is None else release["attributes"],
        "ask": receipt_json(one.ask),
        "release": receipt_json(one.release),
    }


def refused(why: str) -> ClientError:
    """The refusal of an answer's file."""
    return ClientError("ANSWER_BROKEN", f"this answer is not to be relied on: {why}", Exit.VERIFICATION_FAILED)
