"""Every question of a small universe: `evaluate`, `permits` and a model of plain sets permit exactly the same."""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from policy_samples import load

from broker.exchange import Want
from broker.policy import checks
from broker.policy.document import PolicySet
from broker.policy.evaluate import Facts, RegisterFacts, Request, evaluate, permits

BOTH = {"nl": "tekst", "en": "text"}
PARTIES = ("anna", "bert", "cees", "dirk")
HOLDERS = {"beds": ["bert", "cees"], "status": ["cees"], "owner": ["dirk"]}
ASKING: dict[str, dict[str, Any]] = {
    "rows": {
        "asks": ["anna"],
        "answers": ["bert", "cees"],
        "identified_by": ["bag", "kvk"],
        "may_learn": {"hit": True, "attributes": {"beds": "needed", "status": "needed"}},
        "pseudonyms": {"mode": "keyed", "epoch": "quarter", "steward": "anna"},
        "valid": {"from": "2026-04-01", "until": "2026-12-31"},
        "case_number": "required",
        "exclude_natural_persons": True,
    },
    "counting": {
        "asks": ["bert", "dirk"],
        "answers": ["cees"],
        "identified_by": ["kvk"],
        "may_learn": {"count": {"min_group": 5, "per_epoch": 2}},
        "pseudonyms": {"mode": "keyed", "epoch": "month", "steward": "cees"},
        "valid": {"from": "2026-01-01", "until": "2026-05-31"},
        "on_behalf_of": [{"processor": "dirk", "principal": "anna"}, {"processor": "dirk", "principal": "bert"}],
        "cooperation_ref": "required",
    },
    "both": {
        "asks": ["anna", "bert"],
        "answers": ["dirk"],
        "identified_by": ["bag"],
        "may_learn": {"hit": True, "attributes": {"owner": "needed"}, "count": {"min_group": 4, "per_epoch": 1}},
        "pseudonyms": {"mode": "keyed", "epoch": "year", "steward": "dirk"},
        "valid": {"from": "2026-05-01", "until": "2026-05-31"},
        "weakest_match_key": 1,
    },
    "closed": {
        "asks": ["anna"],
        "answers": ["bert"],
        "identified_by": ["bag"],
        "may_learn": {"hit": True},
        "pseudonyms": {"mode": "keyed", "epoch": "year", "steward": "bert"},
        "valid": {"from": "2026-01-01", "until": "2026-12-31"},
        "state": "suspended",
    },
}
MOMENTS = {
    "2026-03-31": datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC),
    "2026-05-31": datetime(2026, 5, 31, 21, 59, 59, tzinfo=UTC),
    "2026-06-01": datetime(2026, 5, 31, 22, 0, 0, tzinfo=UTC),
}
"""The day in Amsterdam of each moment. The last two are a second apart: the border of a month and of two purposes."""
EPOCHS = ("2026Q1", "2026Q2", "2026-03", "2026-05", "2026-06", "2026", "")
IN_FORCE = {
    "2026-03-31": {"quarter": "2026Q1", "month": "2026-03", "year": "2026"},
    "2026-05-31": {"quarter": "2026Q2", "month": "2026-05", "year": "2026"},
    "2026-06-01": {"quarter": "2026Q2", "month": "2026-06", "year": "2026"},
}


def small_set() -> PolicySet:
    catalogue = {
        "catalogue": "small",
        "parties": {
            name: {"title": BOTH, "oin": f"0000009900000{n}000000", "kind": "public", "case_number": "C[0-9]"}
            for n, name in enumerate(PARTIES)
        },
        "subject_types": {"thing": {"title": BOTH, "natural_person": False}},
        "identifiers": {name: {"title": BOTH, "about": "thing", "match_keys": 2} for name in ("bag", "kvk", "rsin")},
        "attributes": {
            name: {"title": BOTH, "meaning": BOTH, "type": "text", "width": 8, "holders": holders}
            for name, holders in HOLDERS.items()
        },
        "legal_bases": {
            "law": {"citation": "a law", "summary": BOTH, "dpv": "eu-gdpr:A6-1-e", "longest_retention_days": 30}
        },
        "guardrails": {
            "national_number_with_private_party": "never",
            "natural_persons": "oblivious only",
            "smallest_min_group": 3,
            "most_subjects_per_request": 10,
            "longest_vault_keep_days": 90,
            "longest_validity_days": 400,
        },
    }
    every = {
        "title": BOTH, "because": "small", "about": "thing", "legal_basis": "law", "dpia": "DPIA-1", "state": "active",
        "processing_activity": "https://register.example.nl/1", "answer_keep_days": 30, "vault_keep_days": 60,
        "limits": {"subjects_per_request": 2, "requests_per_day": 2},
    }  # fmt: skip
    purposes = {
        f"purposes/{name}.yaml": json.dumps({"purpose": name, **every, **purpose}) for name, purpose in ASKING.items()
    }
    return load({"catalogue.yaml": json.dumps(catalogue), **purposes})


POLICIES = small_set()


def questions() -> Iterator[tuple[str, ...]]:
    """Every purpose, party, identifier, epoch, thing to want and day; the unknown ones too."""
    attributes = ["".join(f"+{name}" for name in some) for n in range(4) for some in itertools.combinations(HOLDERS, n)]
    wants = [hit + count + some for hit in ("", "+hit") for count in ("", "+count") for some in attributes]
    parties = (*PARTIES, "emma")
    return itertools.product(
        (*ASKING, "other"), parties, ("", *PARTIES), parties, ("bag", "kvk", "rsin"), EPOCHS, wants, MOMENTS
    )


def wanted(text: str) -> Want:
    words = text.split("+")[1:]
    return Want("hit" in words, "count" in words, tuple(word for word in words if word in HOLDERS))


def allowed_questions() -> set[tuple[str, ...]]:
    """The same universe as a set of what is allowed, from the text above by nothing but products of sets."""
    allowed: set[tuple[str, ...]] = set()
    for name, purpose in ASKING.items():
        if purpose.get("state") == "suspended":
            continue
        learn, pairs = purpose["may_learn"], purpose.get("on_behalf_of", [])
        processors = {pair["processor"] for pair in pairs}
        askers = [(asker, "") for asker in purpose["asks"] if asker not in processors]
        askers += [(pair["processor"], pair["principal"]) for pair in pairs]
        days = [day for day in MOMENTS if purpose["valid"]["from"] <= day <= purpose["valid"]["until"]]
        for answerer in purpose["answers"]:
            things = [a for a in HOLDERS if a in learn.get("attributes", {}) and answerer in HOLDERS[a]]
            some = ["".join(f"+{a}" for a in chosen) for n in range(4) for chosen in itertools.combinations(things, n)]
            wants = [hit + attributes for hit in ("", "+hit") for attributes in some] if learn.get("hit") else []
            wants = [want for want in wants if want] + (["+count"] if "count" in learn else [])
            for (asker, principal), scheme, want, day in itertools.product(
                askers, purpose["identified_by"], wants, days
            ):
                epoch = IN_FORCE[day][purpose["pseudonyms"]["epoch"]]
                allowed.add((name, asker, principal, answerer, scheme, epoch, want, day))
    return allowed


def good_facts(day: str) -> Facts:
    return Facts(MOMENTS[day], 0, 0, "accepted", True, RegisterFacts({"exclude_natural_persons": True}), None)


FACTS = {day: good_facts(day) for day in MOMENTS}


WANTS = {text: wanted(text) for text in {question[6] for question in questions()}}


def permitted_of(asked: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """What is permitted of these questions; on each the engine and the bare rule agree."""
    permitted = set()
    for question in asked:
        purpose, asker, principal, answerer, scheme, epoch, want, day = question
        request = Request(asker, principal or None, answerer, purpose, epoch, scheme, 1, WANTS[want], 1)
        effect = evaluate(POLICIES, request, FACTS[day]).permitted
        # the bare rule leaves to `evaluate` that nobody answers its own question; here no purpose lists one who could
        assert permits(POLICIES, request, MOMENTS[day]) == effect, question
        if effect:
            permitted.add(question)
    return permitted


def test_a_part_of_the_universe_agrees():
    allowed = allowed_questions()
    some = {*itertools.islice(questions(), 0, None, 97), *allowed}
    assert permitted_of(some) == allowed
    assert len(allowed) == 40 + 6 + 8  # counted by hand: rows, counting, both
    assert len(some) > 10_000


@pytest.mark.slow
def test_the_whole_universe_agrees():
    assert permitted_of(questions()) == allowed_questions()
    assert sum(1 for _ in questions()) == 1_260_000


BOUNDS: dict[str, tuple[Any, ...]] = {
    "want": ("rows", "count"),
    "subjects": (0, 1, 2, 3),
    "match_keys": (0, 1, 2, 3),
    "requests_today": (-1, 0, 1, 2),
    "counts_this_epoch": (0, 1, 2),
    "case_number": ("absent", "accepted", "malformed", "looks-like-bsn"),
    "cooperation_ref": (False, True),
    "register": ("none", "silent", "true", "false"),
    "count_distance": (None, 3, 4, 5),
    "modes": ("", "keyed"),
    "suspended": (False, True),
}
REGISTERS: dict[str, RegisterFacts | None] = {
    "none": None,
    "silent": RegisterFacts({}),
    "true": RegisterFacts({"exclude_natural_persons": True}),
    "false": RegisterFacts({"exclude_natural_persons": False}),
}
IN_BOUNDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "rows": {"want": ("rows",), "match_keys": (1, 2), "case_number": ("accepted",), "register": ("none", "true")},
    "counting": {"want": ("count",), "match_keys": (1, 2), "counts_this_epoch": (0, 1), "cooperation_ref": (True,),
                 "count_distance": (None, 5)},
    "both": {"want": ("rows", "count"), "match_keys": (1,), "counts_this_epoch": (0,), "count_distance": (None, 4, 5)},
}  # fmt: skip
"""What each purpose allows of `BOUNDS`, where that is not what all allow."""
EVERY_PURPOSE = {
    "subjects": (1, 2), "requests_today": (0, 1), "case_number": ("absent", "accepted"), "modes": ("keyed",),
    "suspended": (False,),
}  # fmt: skip
GOOD = {"rows": ("anna", "bert", "bag", "2026Q2"), "counting": ("bert", "cees", "kvk", "2026-05"),
        "both": ("anna", "dirk", "bag", "2026")}  # fmt: skip


def bounds_permitted(purpose: str, engine: PolicySet) -> set[tuple[Any, ...]]:
    """Every combination of `BOUNDS` that the engine permits for a question that is good in all else."""
    asker, answerer, scheme, epoch = GOOD[purpose]
    wants = {"rows": Want(True, False), "count": Want(False, True)}
    now = MOMENTS["2026-05-31"]
    permitted = set()
    for values in itertools.product(*BOUNDS.values()):
        want, subjects, keys, today, counts, case, reference, register, distance, mode, suspended = values
        request = Request(asker, None, answerer, purpose, epoch, scheme, keys, wants[want], subjects)
        facts = Facts(
            now, today, counts, case, reference, REGISTERS[register], distance,
            frozenset({mode}) if mode else frozenset(), now if suspended else None,
        )  # fmt: skip
        if evaluate(engine, request, facts).permitted:
            permitted.add(values)
    return permitted


def bounds_allowed(purpose: str) -> set[tuple[Any, ...]]:
    """The same from the table above. Counters and distances of counts bear on counts alone."""
    allowed = set()
    for want in IN_BOUNDS[purpose]["want"]:
        own = {**BOUNDS, **EVERY_PURPOSE, **IN_BOUNDS[purpose], "want": (want,)}
        if want == "rows":
            own |= {name: BOUNDS[name] for name in ("counts_this_epoch", "count_distance")}
        allowed |= set(itertools.product(*(own[name] for name in BOUNDS)))
    return allowed


@pytest.mark.slow
@pytest.mark.parametrize("purpose", list(GOOD))
def test_every_combination_of_facts_and_limits_agrees(purpose):
    assert bounds_permitted(purpose, POLICIES) == bounds_allowed(purpose)
    assert bounds_allowed(purpose)


def test_the_comparison_finds_a_limit_that_is_off_by_one(monkeypatch):
    def lax(case):
        return checks.CheckResult("subjects-per-request", case.request.subjects >= 1, "", "")

    wrong = tuple((name, lax if name == "subjects-per-request" else check) for name, check in checks.CHECKS)
    for name, values in (("requests_today", (0,)), ("register", ("none",)), ("case_number", ("accepted",))):
        monkeypatch.setitem(BOUNDS, name, values)
        monkeypatch.setitem(IN_BOUNDS["counting"], name, values)
    assert bounds_permitted("counting", POLICIES) == bounds_allowed("counting")
    monkeypatch.setitem(checks.ENGINES, "sluis-engine/2", wrong)
    found = bounds_permitted("counting", POLICIES) - bounds_allowed("counting")
    assert {values[1] for values in found} == {3}


def test_the_bare_rule_stays_short():
    assert len(inspect.getsource(permits).splitlines()) < 30
