"""Policy sets and questions from a seed: sets that load, questions that are permitted or just not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from broker.exchange import Want
from broker.policy.document import PolicySet
from broker.policy.evaluate import Facts, ProbingFacts, RegisterFacts, Request, epoch_of
from broker.policy.purpose import Purpose

FIRST = date(2026, 1, 1)
Asked = tuple[Request, Facts]
_BOTH = {"nl": "tekst", "en": "text"}
_BASIS = {"citation": "a law", "summary": _BOTH, "dpv": "eu-gdpr:A6-1-e", "longest_retention_days": 400}


def random_texts(seed: int, purposes: int = 8) -> dict[str, str]:
    """The files of a set that loads. JSON is YAML."""
    random = Random(seed)
    parties = [f"party-{n}" for n in range(7)]
    attributes = [f"fact-{n}" for n in range(6)]
    catalogue = {
        "catalogue": "made-by-chance",
        "parties": {
            name: {
                "title": _BOTH,
                "oin": f"000000990000{n + 1:05}000",
                "kind": "public",
                "case_number": "C-[0-9]{1,4}",
            }
            for n, name in enumerate(parties)
        },
        "groups": {"some": random.sample(parties, 3)},
        "subject_types": {
            "thing": {"title": _BOTH, "natural_person": False},
            "person": {"title": _BOTH, "natural_person": True},
        },
        "identifiers": {
            **{f"thing-{n}": {"title": _BOTH, "about": "thing", "match_keys": n} for n in (1, 2, 3)},
            "person-1": {"title": _BOTH, "about": "person", "match_keys": 2},
        },
        "attributes": {
            name: {
                "title": _BOTH,
                "meaning": _BOTH,
                "type": "integer",
                "width": 8,
                "holders": random.sample([*parties, "some"], random.randint(1, 4)),
            }
            for name in attributes
        },
        "legal_bases": {
            "always": _BASIS,
            "later": _BASIS | {"in_force": {"from": "2026-05-01"}},
            "once": _BASIS | {"in_force": {"from": "2025-01-01", "until": "2026-11-30"}},
        },
        "key_services": {
            "own": {"title": _BOTH, "operator": "broker"},
            "other": {"title": _BOTH, "operator": "party-6"},
        },
        "guardrails": {
            "national_number_with_private_party": "never",
            "natural_persons": "oblivious only",
            "smallest_min_group": 3,
            "most_subjects_per_request": 1000,
            "longest_vault_keep_days": 4000,
            "longest_validity_days": 1096,
        },
    }
    made = {"catalogue.yaml": json.dumps(catalogue)}
    for n in range(purposes):
        name = f"purpose-{n}"
        made[f"purposes/{name}.yaml"] = json.dumps(_random_purpose(random, name, parties, catalogue))
    return made


def _random_purpose(random: Random, name: str, parties: list[str], catalogue: Mapping[str, Any]) -> dict[str, Any]:
    shuffled = random.sample(parties, len(parties))
    asks, answers, others = shuffled[:2], shuffled[2:5], shuffled[5:]
    about = random.choice(["thing", "thing", "thing", "person"])
    known = [i for i in catalogue["identifiers"] if i.startswith(about)]
    held = [
        attribute
        for attribute, entry in catalogue["attributes"].items()
        if {p for h in entry["holders"] for p in catalogue["groups"].get(h, [h])} & set(answers)
    ]
    learn: dict[str, Any] = {}
    if random.random() < 0.8:
        chosen = random.sample(held, random.randint(0, len(held)))
        learn = {"hit": True, "attributes": dict.fromkeys(chosen, "needed")}
    if not learn or random.random() < 0.5:
        learn["count"] = {"min_group": random.randint(3, 9), "per_epoch": random.randint(1, 5)}
    first = FIRST + timedelta(days=random.randint(0, 200))
    purpose: dict[str, Any] = {
        "purpose": name,
        "title": _BOTH,
        "because": "by chance",
        "state": random.choice(["active"] * 9 + ["suspended"]),
        "asks": asks,
        "answers": answers,
        "about": about,
        "identified_by": random.sample(known, random.randint(1, len(known))),
        "may_learn": learn,
        "legal_basis": random.choice(["always", "later", "once"]),
        "processing_activity": "https://register.example.nl/1",
        "dpia": "DPIA-1",
        "pseudonyms": {
            "mode": "keyed" if about == "thing" else "oblivious",
            "epoch": random.choice(["quarter", "month", "year"]),
            "steward": asks[0],
        },
        "answer_keep_days": random.randint(1, 400),
        "vault_keep_days": 1000,
        "limits": {"subjects_per_request": random.randint(1, 9), "requests_per_day": random.randint(1, 9)},
        "valid": {"from": str(first), "until": str(first + timedelta(days=random.randint(0, 500)))},
    }
    if about == "person":
        purpose["pseudonyms"]["key_services"] = ["own", "other"]
        purpose["limits"]["evaluations_per_epoch"] = random.randint(1, 9)
    optional: dict[str, Any] = {
        "on_behalf_of": [{"processor": asks[0], "principal": other} for other in others],
        "weakest_match_key": 1,
        "look_back": {"years": random.randint(1, 3), "counted_from": "as-of"},
        "valid_on": "as-of",
        "exclude_natural_persons": True,
        "case_number": "required",
        "cooperation_ref": "required",
    }
    return purpose | {key: value for key, value in optional.items() if random.random() < 0.3}


def good_question(policies: PolicySet, purpose: Purpose, random: Random) -> Asked:
    """A question with which nothing is wrong, if the purpose permits anything at all on the day."""
    days = (purpose.valid.until - purpose.valid.from_).days
    basis = policies.catalogue.legal_bases[purpose.legal_basis].in_force
    day = purpose.valid.from_ + timedelta(days=random.randint(0, days))
    day = max(day, basis.from_ or day)
    now = datetime(day.year, day.month, day.day, random.randint(0, 22), 30, tzinfo=UTC)
    asker = random.choice(purpose.asks)
    principals = [pair.principal for pair in purpose.on_behalf_of if pair.processor == asker]
    answerer = random.choice(purpose.answers)
    scheme = random.choice(purpose.identified_by)
    learn = purpose.may_learn
    held = [
        name
        for name in learn.attributes
        for holder in policies.catalogue.attributes[name].holders
        if answerer in policies.catalogue.groups.get(holder, (holder,))
    ]
    wanted = tuple(sorted(random.sample(sorted(set(held)), random.randint(0, len(set(held))))))
    want = Want(learn.hit and (not wanted or random.random() < 0.5), False, wanted if learn.hit else ())
    if learn.count is not None and (not learn.hit or random.random() < 0.3):
        want = Want(False, True)
    keys = policies.catalogue.identifiers[scheme].match_keys
    request = Request(
        asker=asker,
        principal=random.choice(principals) if principals else None,
        answerer=answerer,
        purpose=purpose.purpose,
        epoch=epoch_of(purpose, now).name,
        scheme=scheme,
        match_keys=random.randint(1, min(keys, purpose.weakest_match_key or keys)),
        want=want,
        subjects=random.choice([1, purpose.limits.subjects_per_request]),
    )
    facts = Facts(
        now=now,
        requests_today=random.choice([0, purpose.limits.requests_per_day - 1]),
        counts_this_epoch=random.choice([0, learn.count.per_epoch - 1]) if learn.count else 0,
        case_number="accepted" if purpose.case_number or random.random() < 0.5 else "absent",
        cooperation_ref=purpose.cooperation_ref is not None,
        register=RegisterFacts(purpose.register_rules()) if random.random() < 0.8 else None,
        count_distance=random.choice([None, learn.count.min_group]) if learn.count else None,
        modes_available=frozenset({"keyed", purpose.pseudonyms.mode}),
        probing=_unsuspicious(purpose, request),
    )
    return request, facts


def _unsuspicious(purpose: Purpose | None, request: Request) -> ProbingFacts | None:
    """What guards look at, as of an asker's first question; None where the purpose has none."""
    guarded = purpose is not None and purpose.probing is not None
    return ProbingFacts(0, 0, 0, request.subjects, request.subjects, None) if guarded else None


def bent_question(policies: PolicySet, asked: Asked, dimension: str, random: Random) -> Asked:
    """The question with one thing changed: often to what lies just outside, sometimes to what is as good."""
    request, facts = asked
    if dimension in _REQUEST:
        bent_request = replace(request, **{dimension: _REQUEST[dimension](policies, request, random)})
        return bent_request, replace(facts, probing=_unsuspicious(policies.purposes.get(bent_request.purpose), request))
    bent = replace(facts, **{dimension: _FACTS[dimension](policies, asked, random)})
    if dimension == "now" and random.random() < 0.7:  # the epoch moves along, or every border would fall with it
        request = replace(request, epoch=epoch_of(policies.purposes[request.purpose], bent.now).name)
    return request, bent


def questions(policies: PolicySet, number: int, seed: int, under: str | None = None) -> list[tuple[str, Asked]]:
    """`number` questions, each with the dimension in which it was bent; "" for the half that was not.

    `under`: only under this purpose; else under all in turn.
    """
    random = Random(seed)
    purposes = [policies.purposes[under]] if under else list(policies.purposes.values())
    made = []
    for n in range(number):
        asked = good_question(policies, purposes[n % len(purposes)], random)
        bent = random.choice(DIMENSIONS) if random.random() < 0.55 else ""
        made.append((bent, bent_question(policies, asked, bent, random) if bent else asked))
    return made


def _party(policies: PolicySet, _: Request, random: Random) -> str:
    return random.choice([*policies.catalogue.parties, "nobody"])


def _want(policies: PolicySet, request: Request, random: Random) -> Want:
    attributes = (*request.want.attributes, random.choice([*policies.catalogue.attributes, "never-agreed"]))
    return random.choice(
        [Want(False, False), Want(True, True), Want(False, True), Want(True, False), Want(True, False, attributes)]
    )


def _moment(policies: PolicySet, asked: Asked, random: Random) -> datetime:
    """A moment beside a border of the purpose's days, of the law's, of the set's, or some other one."""
    purpose = policies.purposes[asked[0].purpose]
    basis = policies.catalogue.legal_bases[purpose.legal_basis].in_force
    days = [day for day in (purpose.valid.from_, purpose.valid.until, basis.from_, basis.until) if day]
    moments = [
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
        for day in days
        for hour, minute in ((21, 59), (22, 0), (22, 59), (23, 0))
    ]
    moments += [moment - timedelta(days=1) for moment in moments] + ([policies.expires] if policies.expires else [])
    return random.choice(moments) - timedelta(microseconds=random.choice([0, 1]))


def _rules(policies: PolicySet, asked: Asked, random: Random) -> RegisterFacts | None:
    rules: dict[str, object] = dict(policies.purposes[asked[0].purpose].register_rules())
    if rules:
        name = random.choice(list(rules))
        other: list[object] = ["as-of", 1, True, False, 2, "true"]
        rules[name] = random.choice(other)
        if random.random() < 0.3:
            del rules[name]
    return random.choice([RegisterFacts(rules), RegisterFacts({"extra": "x", **rules}), None])


def _probing(policies: PolicySet, asked: Asked, random: Random) -> ProbingFacts | None:
    """Counts at, and just beyond, the bounds of the guards that the purpose has; now and then no counts at all."""
    guards = policies.purposes[asked[0].purpose].probing

    def beside(key: str) -> int:
        guard = getattr(guards, key, None)
        bound = 2 if guard is None else getattr(guard, "at_most", None) or getattr(guard, "at_least", 2)
        return max(0, int(bound) + random.choice([-1, 0, 0, 1]))

    counted = [beside(key) for key in ("same_question", "nested_question", "asked_again", "subjects_per_hour")]
    hits = random.choice([None, beside("hits_per_hundred")])
    return random.choice([None, *3 * [ProbingFacts(*counted, beside("subjects_per_epoch"), hits)]])


_REQUEST: Mapping[str, Callable[[PolicySet, Request, Random], Any]] = {
    "asker": _party,
    "principal": lambda p, r, random: random.choice([None, _party(p, r, random)]),
    "answerer": lambda p, r, random: random.choice([r.asker, r.principal or r.asker, _party(p, r, random)]),
    "purpose": lambda p, r, random: random.choice([*p.purposes, "no-such-purpose"]),
    "epoch": lambda p, r, random: random.choice(["2026Q1", "2026Q4", "2026-07", "2026", "", r.epoch + "x"]),
    "scheme": lambda p, r, random: random.choice([*p.catalogue.identifiers, "nothing"]),
    "match_keys": lambda p, r, random: random.choice([0, 1, 2, 3, 4, -1]),
    "want": _want,
    "subjects": lambda p, r, random: random.choice([0, -1, r.subjects + 1, 1]),
}
_FACTS: Mapping[str, Callable[[PolicySet, Asked, Random], Any]] = {
    "now": _moment,
    "requests_today": lambda p, a, random: random.choice([-1, a[1].requests_today + 1, 0]),
    "counts_this_epoch": lambda p, a, random: random.choice([-1, a[1].counts_this_epoch + 1, 0]),
    "case_number": lambda p, a, random: random.choice(["absent", "accepted", "malformed", "looks-like-bsn"]),
    "cooperation_ref": lambda p, a, random: not a[1].cooperation_ref,
    "register": _rules,
    "count_distance": lambda p, a, random: random.choice([None, 0, (a[1].count_distance or 3) - 1, 99]),
    "modes_available": lambda p, a, random: frozenset(random.sample(["keyed", "oblivious"], random.randint(0, 2))),
    "suspended_since": lambda p, a, random: a[1].now - timedelta(hours=1),
    "probing": _probing,
}
DIMENSIONS = (*_REQUEST, *_FACTS)
