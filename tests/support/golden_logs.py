"""Makes the golden log of an engine version, once: `python tests/support/golden_logs.py sluis-engine/2`.

A log is made when its engine is released and never again: `tests/golden/test_golden_logs.py` verifies and replays what
was committed. So this refuses to write over one. In it every check of the engine is met and not met at least once.
Log key, policy signers, times and policies are fixed; the parties' and officers' keys are thrown away.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "golden" / "logs"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "support")]

from approving import Officers
from audit_kit import SIGNERS, START, World

from broker.exchange import Want
from broker.policy.bundle import build_bundle, sign_bundle

_DAY = timedelta(days=1)
_TITLE = "title: {nl: voorbeeld, en: sample}"
_CATALOGUE = f"""\
catalogue: golden
parties:
  nla: {{{_TITLE}, oin: 00000099000000101000, kind: public, case_number: "NLA-[0-9]{{4}}-[0-9]{{4,6}}"}}
  sna: {{{_TITLE}, oin: 00000099000000102000, kind: private}}
  snf: {{{_TITLE}, oin: 00000099000000103000, kind: private}}
  utrecht: {{{_TITLE}, oin: 00000099000000201000, kind: public, case_number: "UTR-[0-9]{{4}}-[0-9]{{1,6}}"}}
  someren: {{{_TITLE}, oin: 00000099000000202000, kind: public, case_number: "SOM-[0-9]{{4}}"}}
groups:
  municipalities: [utrecht, someren]
subject_types:
  location: {{{_TITLE}, natural_person: false}}
  enterprise: {{{_TITLE}, natural_person: false}}
identifiers:
  bag: {{{_TITLE}, about: location, rows_per_pseudonym: 8}}
  adres: {{{_TITLE}, about: location, match_keys: 3}}
  kvk: {{{_TITLE}, about: enterprise, rows_per_pseudonym: 16}}
attributes:
  beds: {{{_TITLE}, meaning: {{nl: aantal bedden, en: beds}}, type: integer, width: 6, holders: [snf]}}
  fined-on: {{{_TITLE}, meaning: {{nl: dag van de boete, en: day of the fine}}, type: date, width: 10, holders: [nla]}}
  permit: {{{_TITLE}, meaning: {{nl: vergunning, en: permit}}, type: text, width: 16, holders: [municipalities]}}
legal_bases:
  covenant:
    citation: a covenant
    summary: {{nl: voorbeeld, en: sample}}
    dpv: eu-gdpr:A6-1-e
    longest_retention_days: 730
  ended:
    citation: a law that ended
    summary: {{nl: voorbeeld, en: sample}}
    dpv: eu-gdpr:A6-1-e
    longest_retention_days: 92
    in_force: {{from: 2020-01-01, until: 2026-11-24}}
dpias:
  DPIA-1: {{{_TITLE}, decided_on: 2025-11-03, review_by: 2028-11-03}}
guardrails:
  national_number_with_private_party: never
  natural_persons: oblivious only
  smallest_min_group: 5
  most_subjects_per_request: 200000
  longest_vault_keep_days: 1095
  longest_validity_days: 730
"""
_PURPOSE = """\
purpose: {name}
title: {{nl: voorbeeld, en: sample}}
because: a sample
state: {state}
asks: [{asks}]
answers: [{answers}]
processing_activity: https://register.example.nl/verwerkingen/{name}
dpia: DPIA-1
answer_keep_days: 92
vault_keep_days: 730
{more}"""
_LOCATION = """\
about: location
identified_by: [bag, adres]
weakest_match_key: 2
may_learn: {{hit: true, attributes: {{beds: needed}}}}
legal_basis: covenant
pseudonyms: {{mode: keyed, epoch: quarter, steward: snf}}
human_check: required
case_number: required
cooperation_ref: required
limits: {{subjects_per_request: {subjects}, requests_per_day: 5}}
valid: {{from: 2026-01-01, until: 2027-06-30}}
"""
_COUNT = """\
about: enterprise
identified_by: [kvk]
may_learn: {count: {min_group: 5, bands: [5, 10, 50], per_epoch: 2}}
legal_basis: covenant
pseudonyms: {mode: keyed, epoch: month, steward: sna}
limits: {subjects_per_request: 1000, requests_per_day: 20}
valid: {from: 2026-01-01, until: 2027-06-30}
"""
_FINE = """\
on_behalf_of: [{processor: sna, principal: snf}]
about: enterprise
identified_by: [kvk]
may_learn: {hit: true, attributes: {fined-on: needed}}
legal_basis: covenant
pseudonyms: {mode: keyed, epoch: quarter, steward: nla}
look_back: {years: 2, counted_from: as-of}
exclude_natural_persons: true
use_only_for: {nl: voorbeeld, en: sample}
limits: {subjects_per_request: 20000, requests_per_day: 20}
valid: {from: 2026-01-01, until: 2027-06-30}
"""
_RULES = {"look_back_years": 2, "look_back_counted_from": "as-of", "exclude_natural_persons": True}
_PERMIT = """\
about: location
identified_by: [bag]
may_learn: {hit: true, attributes: {permit: needed}}
legal_basis: ended
pseudonyms: {mode: keyed, epoch: quarter, steward: nla}
limits: {subjects_per_request: 100, requests_per_day: 20}
valid: {from: 2026-01-01, until: 2026-11-24}
"""


def texts(*, shadow: bool) -> dict[str, str]:
    """The policies of every golden log. `shadow`: with a stricter text beside one of them."""

    def purpose(name: str, asks: str, answers: str, more: str, state: str = "active") -> str:
        return _PURPOSE.format(name=name, asks=asks, answers=answers, more=more, state=state)

    found = {
        "locatie": purpose("locatie", "municipalities", "snf", _LOCATION.format(subjects=20)),
        "telling": purpose("telling", "nla", "sna", _COUNT),
        "boete": purpose("boete", "sna", "nla", _FINE),
        "vergunning": purpose("vergunning", "nla", "municipalities", _PERMIT),
        "concept": purpose("concept", "nla", "municipalities", _PERMIT.replace("keyed", "oblivious"), "draft"),
    }
    if shadow:
        stricter = _LOCATION.format(subjects=2) + "shadow_of: locatie\n"
        found["streng"] = purpose("streng", "municipalities", "snf", stricter, "shadow")
    return {"catalogue.yaml": _CATALOGUE, **{f"purposes/{name}.yaml": text for name, text in found.items()}}


def _set(officers: Officers, revision: int, days: int, *, shadow: bool) -> bytes:
    whole = officers.add_to(texts(shadow=shadow))
    data = build_bundle(
        whole, revision=revision, expires=START + timedelta(days=days), approvals=officers.approve(whole)
    )
    return sign_bundle(sign_bundle(data, SIGNERS[0], "asking side"), SIGNERS[1], "answering side")


def world(engine: str) -> World:
    """The log: an honest broker's, decided by `engine`. Engine 1 knew neither suspensions nor shadows."""
    newer = engine != "sluis-engine/1"
    officers = Officers()
    made = World(engine=engine, archive=[_set(officers, 1, 2, shadow=newer)]).begin()
    made.epoch("snf", "locatie")
    made.epoch("nla", "vergunning")
    made.epoch("nla", "boete")
    month = {"valid_from": "2026-10-31T23:00:00Z", "valid_until": "2026-11-30T23:00:00Z"}
    made.epoch("sna", "telling", epoch="2026-11", **month)
    made.publish("snf", "locatie", "bag", stated={"attributes": ["beds"]})
    made.publish("utrecht", "vergunning", "bag", stated={"attributes": ["permit"]})
    _locations(made)
    _others(made)
    made.ask("utrecht", ["snf"], "locatie", Want(True, False), case_number="UTR-2026-9", after=2 * _DAY)  # expired
    made.archive.append(_set(officers, 2, 300, shadow=newer))
    made.batch(("policy", made.policy_entry(made.archive[-1])))
    made.ask("nla", ["utrecht"], "vergunning", Want(True, False), case_number="NLA-2026-0001")  # both have ended
    made.publish("snf", "locatie", "bag", version=2, stated={"attributes": ["beds"]})
    good = {"cooperation_ref": "bb" * 32}, {"cooperation_ref": True}
    if newer:
        made.suspend("locatie")
        made.ask(
            "utrecht", ["snf"], "locatie", Want(True, False), case_number="UTR-2026-10", stated=good[0], found=good[1]
        )
    made.batch(("recovery", {"what": "log-writable", "detail": "again"}))
    return made


def _locations(made: World) -> None:
    """A purpose with a case number, a reference, match keys, and a limit of five a day."""
    hit, beds = Want(True, False), Want(True, False, ("beds",))
    stated, found = {"cooperation_ref": "bb" * 32}, {"cooperation_ref": True}

    def ask(want: Want = beds, answer: str | None = None, **how: object) -> None:
        given = {"asker": "utrecht", "answerers": ["snf"], "case_number": "UTR-2026-1", **how}
        more = {**stated, **given.pop("stated", {})}
        facts = {**found, **given.pop("found", {})}
        at = made.ask(purpose="locatie", want=want, stated=more, found=facts, **given)
        if answer is not None:
            made.release(at, answer)

    ask(answer="ANSWERED")
    ask(hit, answer="ANSWERED", subjects=1)
    ask(answer="FAILED", subjects=20)
    ask(scheme="adres", answer="NOT_COVERED", stated={"match_keys": 2})
    ask(hit, asker="someren", case_number=None)
    ask(asker="nla", case_number="NLA-2026-0001")
    ask(answerers=["sna"])
    ask(answerers=["utrecht"])
    ask(scheme="kvk")
    ask(scheme="adres", stated={"match_keys": 3})
    ask(stated={"match_keys": 0})
    ask(stated={"epoch": "2026Q3"})
    ask(Want(True, False, ("beds", "permit")))
    ask(Want(False, True))
    ask(Want(False, False))
    ask(subjects=21)
    ask(case_number="123456782")
    ask(case_number="case")
    ask(stated={"cooperation_ref": None}, found={"cooperation_ref": False})
    ask(stated={"principal": "nla"})
    ask(answer="UNKNOWN")
    ask()  # the sixth of the day
    ask(after=_DAY)  # the next day; open at the end


def _others(made: World) -> None:
    """Counts, row rules, a processor, a draft, a purpose that nobody knows."""
    month, count = {"epoch": "2026-11"}, Want(False, True)

    def of_sna(want: Want, found: dict[str, object] | None = None, answer: str | None = None) -> None:
        at = made.ask("nla", ["sna"], "telling", want, scheme="kvk", subjects=40, stated=month, found=found)
        if answer is not None:
            made.release(at, answer)

    of_sna(Want(True, False))
    of_sna(Want(True, True))
    of_sna(count, answer="NO_REGISTER")
    of_sna(count, {"count_distance": 4})
    of_sna(count, {"count_distance": 5}, answer="NO_REGISTER")
    of_sna(count, {"count_distance": 17})

    def of_nla(principal: str | None, answer: str | None = None) -> None:
        want = Want(True, False, ("fined-on",))
        at = made.ask("sna", ["nla"], "boete", want, scheme="kvk", stated={"principal": principal})
        if answer is not None:
            made.release(at, answer)

    of_nla("snf")  # no register yet
    made.publish("nla", "boete", "kvk", stated={"attributes": ["fined-on"]}, look_back_years=3)
    of_nla("snf")
    made.publish("nla", "boete", "kvk", version=2, stated={"attributes": ["fined-on"]}, **_RULES)
    of_nla("snf", "ANSWERED")
    of_nla(None)
    of_nla("utrecht")
    two = made.ask("nla", ["someren", "utrecht"], "vergunning", Want(True, False, ("permit",)))
    made.release(two, "NO_REGISTER")
    made.release(two + 1)
    made.ask("nla", ["utrecht"], "concept", Want(True, False))
    made.ask("nla", ["utrecht"], "onbekend", Want(True, False))
    made.ask("nla", ["utrecht"], "a word that is no name", Want(True, False))


def main() -> None:
    """Writes the bundle and the trust file of one engine; refuses where they are."""
    for engine in sys.argv[1:]:
        folder = FOLDER / engine.replace("/", "-")
        folder.mkdir(parents=True)
        made = world(engine)
        files = {"log.bundle": b"".join(made.bundle()), "trust.yaml": made.trust_text().encode()}
        for name, data in files.items():
            (folder / name).write_bytes(data)
            print(f"{hashlib.sha256(data).hexdigest()}  {folder.name}/{name}")


if __name__ == "__main__":
    main()
