"""Every refusal at load: bend one passage of the sample policies, expect one code at one line."""

from __future__ import annotations

import re

import pytest
from policy_samples import bent, load, problems_of, texts

from broker.errors import Code, SluisError
from broker.policy.bundle import policy_set_from_texts
from broker.policy.document import read_policies

SNF = "purposes/snf-locatie.yaml"
LIMITS = "limits: {subjects_per_request: 1000, requests_per_day: 50}"
CAT = "catalogue.yaml"
P02 = "purposes/cert-boete.yaml"
P04 = "purposes/nla-verzoek-persoon.yaml"
P08 = "purposes/bezetting.yaml"

POINT = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
OTHER_POINT = "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919"
KEYS = f"key_services: [oost, sluis], public_keys: {{2026-11: {{oost: {POINT}, sluis: {OTHER_POINT}}}}}"
BENDS = [
    # one file
    (SNF, "asks: [municipalities]", "ask: [municipalities]", "UNKNOWN_KEY", "did you mean 'asks'?"),
    (SNF, "beds: Needed", "bedz: Needed", "UNKNOWN_WORD", "did you mean 'beds'?"),
    (SNF, "answers: [snf]", "answers: [snff]", "UNKNOWN_WORD", "did you mean 'snf'?"),
    (SNF, "asks: [municipalities]", "asks: [municipality]", "UNKNOWN_WORD", "did you mean 'municipalities'?"),
    (SNF, "about: location", "about: locations", "UNKNOWN_WORD", "did you mean 'location'?"),
    (SNF, "[bag, postcode-number]", "[bag, postcode-nummer]", "UNKNOWN_WORD", "did you mean 'postcode-number'?"),
    (SNF, "legal_basis: snf-covenant", "legal_basis: snf-convenant", "UNKNOWN_WORD", "did you mean 'snf-covenant'?"),
    (SNF, "state: active", "state: actief", "UNKNOWN_WORD", "did you mean 'active'?"),
    (SNF, "mode: keyed", "mode: hashed", "UNKNOWN_WORD", "keyed"),
    (SNF, "epoch: quarter", "epoch: week", "UNKNOWN_WORD", "known: month, quarter, year"),
    (SNF, "hit: true", "hit: yes", "NOT_TRUE_OR_FALSE", ""),
    (SNF, "hit: true", 'hit: "true"', "NOT_TRUE_OR_FALSE", ""),
    (SNF, "hit: true", "hit: True", "NOT_TRUE_OR_FALSE", ""),
    (SNF, "answer_keep_days: 92", "answer_keep_days: 0x5c", "NOT_A_NUMBER", ""),
    (SNF, "answer_keep_days: 92", "answer_keep_days: 092", "NOT_A_NUMBER", ""),
    (SNF, "answer_keep_days: 92", "answer_keep_days: -1", "NOT_A_NUMBER", ""),
    (SNF, "answer_keep_days: 92", "answer_keep_days: 0", "OUT_OF_RANGE", ""),
    (SNF, "dpia: DPIA-SAMPLE-06", "dpia: null", "NULL", ""),
    (SNF, "from: 2026-01-01", "from: 2026-02-30", "NOT_A_DAY", ""),
    (SNF, "from: 2026-01-01", "from: 01-01-2026", "NOT_A_DAY", ""),
    (SNF, ", until: 2027-12-31", "", "NO_END_DATE", "until"),
    (SNF, "until: 2027-12-31", "until: 2025-12-31", "ENDS_BEFORE_START", ""),
    (SNF, "until: 2027-12-31", "until: 2029-12-31", "HOLDS_TOO_LONG", ""),
    (SNF, "asks: [municipalities]", "asks: [utrecht, '*']", "WILDCARD", ""),
    (SNF, "asks: [municipalities]", "asks: [all]", "WILDCARD", ""),
    (SNF, "asks: [municipalities]", "asks: [municipalities, snf]", "ASKS_ITSELF", ""),
    (SNF, "asks: [municipalities]", "asks: []", "EMPTY_LIST", ""),
    (SNF, "asks: [municipalities]", "asks: [utrecht, utrecht]", "REPEATED", ""),
    (SNF, "asks: [municipalities]", "asks: utrecht", "WRONG_SHAPE", ""),
    (SNF, "asks: [municipalities]", "asks: [Utrecht]", "NAME_SHAPE", ""),
    (SNF, "purpose: snf-locatie", "purpose: snf-locaties", "FILE_NAME_DIFFERS", ""),
    (SNF, "[bag, postcode-number]", "[bag, kvk]", "OTHER_SUBJECT_TYPE", ""),
    (SNF, "beds: Needed", "permit-status: Needed", "HOLDER_DOES_NOT_ANSWER", "held by: municipalities"),
    (SNF, "hit: true", "hit: false", "HIT_IMPLIED", ""),
    (SNF, "answer_keep_days: 92", "answer_keep_days: 93", "RETENTION_ABOVE_BASIS", ""),
    (SNF, "vault_keep_days: 730", "vault_keep_days: 3651", "RETENTION_ABOVE_BASIS", ""),
    (SNF, "dpia: DPIA-SAMPLE-06\n", "", "NO_DPIA", ""),
    (SNF, "steward: snf", "steward: nla", "STEWARD_NOT_PARTICIPANT", ""),
    (SNF, "steward: snf", "steward: snf, successors: [nla]", "STEWARD_NOT_PARTICIPANT", ""),
    (SNF, "steward: snf", "steward: snf, successors: [nobody]", "UNKNOWN_WORD", ""),
    (SNF, "steward: snf", "steward: snf, successors: [utrecht, snf]", "REPEATED", "remove one"),
    (SNF, "steward: snf", "steward: snf, overlap_days: 0", "OUT_OF_RANGE", ""),
    (SNF, "steward: snf", "steward: snf, overlap_days: 29", "OUT_OF_RANGE", ""),
    (SNF, "asks: [municipalities]", "asks: [privacy-auditor]", "AUDITOR_TAKES_PART", ""),
    (SNF, "subjects_per_request: 1000", "subjects_per_request: 1000001", "LIMIT_ABOVE_GUARDRAIL", ""),
    (SNF, "answer_keep_days: 92", "weakest_match_key: 2\nanswer_keep_days: 92", "MATCH_KEY_UNKNOWN", ""),
    (SNF, "limits:", "case_number: required\nlimits:", None, ""),
    ("purposes/nau-status.yaml", "limits:", "case_number: required\nlimits:", "CASE_PATTERN", "case_number"),
    (P08, "min_group: 5, bands: [5,", "min_group: 4, bands: [4,", "GROUP_TOO_SMALL", "min_group: 5"),
    (P08, "bands: [5, 10,", "bands: [10, 20,", "BANDS", ""),
    (P08, "bands: [5, 10,", "bands: [5, 5,", "BANDS", ""),
    (P08, "bands: [5, 10, 25,", "bands: [5, 25, 10,", "BANDS", ""),
    (P08, "  count: {min_group: 5, bands: [5, 10, 25, 50, 100, 250, 500], per_epoch: 12}", "  hit: false",
     "NOTHING_TO_LEARN", ""),
    (P02, "processor: sna", "processor: snf", "PROCESSOR_DOES_NOT_ASK", ""),
    (P02, "principal: certificeerder-noord", "principal: certificeerder-zuid", "UNKNOWN_WORD", "noord"),
    (P02, "principal: certificeerder-noord", "principal: nla", "ASKS_ITSELF", ""),
    (P02, "exclude_natural_persons: true", "exclude_natural_persons: true\nhit_only_if_natural_person: true",
     "CONTRADICTION", ""),
    # guards against probing
    (SNF, LIMITS, f"{LIMITS}\nprobing: {{same_question: {{at_most: 0, then: report}}}}", None, ""),
    (SNF, LIMITS, f"{LIMITS}\nprobing: {{same_question: {{at_most: 0, then: wait}}}}", "UNKNOWN_WORD", "refuse"),
    (SNF, LIMITS, f"{LIMITS}\nprobing: {{hits_per_hundred: {{at_least: 101, then: report}}}}", "OUT_OF_RANGE", ""),
    (SNF, LIMITS, f"{LIMITS}\nprobing: {{}}", "PROBING_EMPTY", "same_question"),
    (SNF, LIMITS, LIMITS.replace("1000", "1001") + "\nprobing: {same_question: {at_most: 0, then: report}}",
     "PROBING_TOO_LARGE", ""),
    (SNF, LIMITS, f"{LIMITS}\nprobing: {{subjects_per_hour: {{at_most: 999, then: report}}}}", "PROBING_BELOW_LIMIT",
     "1000"),
    (P08, "valid: {from", "probing: {hits_per_hundred: {at_least: 1, then: report}}\nvalid: {from",
     "PROBING_WITHOUT_HITS", ""),
    # live answers
    (SNF, LIMITS, f"{LIMITS}\nanswers_live: [snf]", None, ""),
    (SNF, LIMITS, f"{LIMITS}\nanswers_live: [nla]", "LIVE_NOT_ANSWERER", ""),
    (SNF, LIMITS, f"{LIMITS}\nanswers_live: [nobody]", "LIVE_NOT_ANSWERER", ""),
    (SNF, LIMITS, LIMITS.replace("1000", "1001") + "\nanswers_live: [snf]", "LIVE_TOO_LARGE", ""),
    (SNF, LIMITS, f"{LIMITS}\nanswers_live: [snf]\nprobing: {{same_question: {{at_most: 0, then: report}}}}",
     "LIVE_NOT_COMPARED", "probing"),
    (P04, "valid: {from", "answers_live: [uwv]\nvalid: {from", "LIVE_PERSONS", "register"),
    (P08, "may_learn:", "answers_live: [snf]\nmay_learn:", "LIVE_NOT_COMPARED", "count"),
    # standing questions
    (SNF, LIMITS, f"{LIMITS}\nstanding_questions: {{days: 90}}", None, ""),
    (SNF, LIMITS, f"{LIMITS}\nstanding_questions: {{days: 0}}", "OUT_OF_RANGE", ""),
    (SNF, LIMITS, f"{LIMITS}\nstanding_questions: {{days: 367}}", "OUT_OF_RANGE", ""),
    (SNF, LIMITS, f"{LIMITS}\nstanding_questions: {{}}", "MISSING", "days"),
    (SNF, "vault_keep_days: 730", "vault_keep_days: 89\nstanding_questions: {days: 90}", "STANDING_TOO_LONG", "89"),
    (SNF, LIMITS, f"{LIMITS}\nanswers_live: [snf]\nstanding_questions: {{days: 9}}", "STANDING_LIVE", ""),
    (P08, "may_learn:", "standing_questions: {days: 9}\nmay_learn:", "STANDING_WITHOUT_HITS", ""),
    # natural persons and national numbers
    (P04, "mode: oblivious", "mode: keyed", "PERSONS_NEED_OBLIVIOUS", "oblivious"),
    (P04, "state: draft", "state: active", "NO_DPIA", ""),
    ("purposes/nla-verzoek-loonheffing.yaml", "mode: oblivious", "mode: keyed", "PERSONS_NEED_OBLIVIOUS", ""),
    ("purposes/wagweu-melding.yaml", "mode: oblivious", "mode: keyed", "PERSONS_NEED_OBLIVIOUS", ""),
    (P04, "answers: [uwv,", "answers: [sna, uwv,", "NATIONAL_NUMBER_PRIVATE", ""),
    (P04, "asks: [nla]", "asks: [nla, certificeerder-noord]", "NATIONAL_NUMBER_PRIVATE", ""),
    (P04, "answers: [uwv,", "answers: [nau, uwv,", "NOT_BSN_ENTITLED", "parties.nau.bsn_entitled"),
    ("purposes/nla-verzoek-loonheffing.yaml", "answers: [uwv,", "answers: [nau, uwv,", "NOT_BSN_ENTITLED", ""),
    ("purposes/nla-verzoek-loonheffing.yaml", "asks: [nla]",
     "asks: [nla]\non_behalf_of: [{processor: nla, principal: certificeerder-noord}]", "NATIONAL_NUMBER_PRIVATE", ""),
    ("purposes/nla-verzoek-onderneming.yaml", "[kvk, rsin]", "[kvk, loonheffing]", "PERSONS_NEED_OBLIVIOUS", ""),
    # key services of mode oblivious; a shipped purpose becomes active with a DPIA
    (P04, "state: draft", "state: active\ndpia: DPIA-SAMPLE-04", None, ""),
    (P04, "key_services: [oost, sluis]", "key_services: [oost, west]", "UNKNOWN_WORD", "oost"),
    (P04, "key_services: [oost, sluis]", "key_services: [oost, oost]", "REPEATED", ""),
    (P04, "key_services: [oost, sluis]", KEYS, None, ""),
    (P04, "key_services: [oost, sluis]", KEYS.replace("2026-11", "2026Q4"), "EPOCH_NAME", "2026-11"),
    (P04, "key_services: [oost, sluis]", KEYS.replace("2026-11", "2026-13"), "EPOCH_NAME", "2026-11"),
    (P04, "key_services: [oost, sluis]", KEYS.replace(POINT, "00" * 32), "SERVICE_KEY_SHAPE", "key make"),
    (P04, "key_services: [oost, sluis]", KEYS.replace(POINT, "01" + "00" * 31), "SERVICE_KEY_SHAPE", ""),
    (P04, "key_services: [oost, sluis]", KEYS.replace(POINT, POINT.upper()), "SERVICE_KEY_SHAPE", ""),
    (P04, "key_services: [oost, sluis]", KEYS.replace(f"oost: {POINT}, ", ""), "SERVICE_KEYS_INCOMPLETE", ""),
    (P04, "key_services: [oost, sluis]", KEYS.replace("[oost, sluis]", "[oost]"), "SERVICE_KEYS_INCOMPLETE", ""),
    (P04, "key_services: [oost, sluis]", KEYS.replace(POINT, OTHER_POINT), "SERVICE_KEY_REPEATED", ""),
    (SNF, "mode: keyed", "mode: keyed, key_services: [oost, sluis]", "OBLIVIOUS_ONLY", ""),
    (SNF, "requests_per_day: 50", "requests_per_day: 50, evaluations_per_epoch: 9", "OBLIVIOUS_ONLY", ""),
    (SNF, "requests_per_day: 50", "requests_per_day: 50, register_evaluations_per_epoch: 9", "OBLIVIOUS_ONLY", ""),
    (SNF, "mode: keyed", "mode: oblivious", "KEY_SERVICES_TOO_FEW", "oost, sluis"),
    (SNF, "mode: keyed", "mode: oblivious", "NO_EVALUATION_LIMIT", "evaluations_per_epoch"),
    (SNF, "mode: keyed", "mode: oblivious, key_services: [sluis]", "KEY_SERVICES_TOO_FEW", ""),
    (CAT, "operator: sleuteldienst-oost", "operator: sleuteldienst-west", "UNKNOWN_WORD", "sleuteldienst-oost"),
    # the catalogue
    (CAT, "national_number_with_private_party: never", "national_number_with_private_party: sometimes",
     "UNKNOWN_WORD", "never"),
    (CAT, "natural_persons: oblivious only", "natural_persons: keyed", "UNKNOWN_WORD", "oblivious only"),
    (CAT, "00000099000000102000", "00000099000000101000", "OIN_REPEATED", ""),
    (CAT, "00000099000000102000", "0000009900000010200", "OIN_INVALID", ""),
    (CAT, "kind: private\n    case_number: \"CN",
     "kind: private\n    bsn_entitled: {citation: x}\n    case_number: \"CN", "NATIONAL_NUMBER_PRIVATE", ""),
    (CAT, '"NLA-[0-9]{4}-[0-9]{4,6}"', '"NLA-.*"', "CASE_PATTERN", ""),
    (CAT, '"NLA-[0-9]{4}-[0-9]{4,6}"', '"NLA-[0-9]{4,9}"', "CASE_PATTERN_FITS_BSN", ""),
    (CAT, '"NLA-[0-9]{4}-[0-9]{4,6}"', '"[A-Z0-9]{4}[0-9]{4}"', "CASE_PATTERN_FITS_BSN", ""),
    (CAT, "municipalities: [utrecht,", "municipalities: [utrechtt,", "UNKNOWN_WORD", "did you mean 'utrecht'?"),
    (CAT, "  municipalities: [", "  nla: [snf]\n  municipalities: [", "NAME_TAKEN", ""),
    (CAT, "auditors: [privacy-auditor]", "auditors: [auditor]", "UNKNOWN_WORD", "privacy-auditor"),
    (CAT, "  beds:\n", "  count:\n", "NAME_TAKEN", ""),
    (CAT, "width: 10\n    holders: [snf, sna]", "width: 9\n    holders: [snf, sna]", "WIDTH_TOO_SMALL", "width: 10"),
    (CAT, "      valid: {nl", "      valid-in-the-eyes-of-all: {nl", "WIDTH_TOO_SMALL", ""),
    (CAT, "type: integer\n    unit: beds", "type: code\n    unit: beds", "CODES", ""),
    (CAT, "holders: [nau]", "holders: [nou]", "UNKNOWN_WORD", "did you mean 'nau'?"),
    (CAT, "about: location\n    rows", "about: locatie\n    rows", "UNKNOWN_WORD", "did you mean 'location'?"),
    (CAT, "dpv: eu-gdpr:A6-1-e", "dpv: public interest", "WRONG_SHAPE", ""),
    (CAT, "kind: public", "kind: publiek", "UNKNOWN_WORD", "did you mean 'public'?"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "hint"),
    BENDS,
    ids=[f"{i}-{b[3]}-{b[0].split('/')[-1]}" for i, b in enumerate(BENDS)],
)
def test_a_bent_line_is_refused_where_it_stands(file, old, new, code, hint):
    source = bent(file, old, new)
    if code is None:
        load(source)
        return
    problems = problems_of(source)
    found = [problem for problem in problems if problem.code == code and problem.file == file]
    assert found, [str(problem) for problem in problems]
    if hint:
        assert any(hint in problem.suggestion for problem in found), [str(problem) for problem in found]
    changed = texts()[file][: texts()[file].index(old)].count("\n") + 1
    span = range(changed - 6, changed + new.count("\n") + 8)
    if code not in ("OIN_REPEATED", "NO_DPIA", "CONTRADICTION", "NATIONAL_NUMBER_PRIVATE", "NOT_BSN_ENTITLED",
                    "AUDITOR_TAKES_PART", "ASKS_ITSELF", "PERSONS_NEED_OBLIVIOUS"):  # fmt: skip
        assert any(problem.line in span for problem in found), (changed, [str(problem) for problem in found])


def test_a_problem_names_the_exact_line():
    (problem,) = problems_of(bent(SNF, "    beds: Needed", "    bedz: Needed"))
    line = next(n for n, text in enumerate(texts()[SNF].splitlines(), 1) if "    beds: Needed" in text)
    assert str(problem) == (
        f"purposes/snf-locatie.yaml:{line}: UNKNOWN_WORD: 'bedz' is no attribute of the catalogue; did you mean 'beds'?"
    )


def test_all_problems_of_all_files_come_at_once_and_in_order():
    source = bent(SNF, "answers: [snf]", "answers: [snff]")
    source[P08] = source[P08].replace("about: location", "about: locatie")
    problems = problems_of(source)
    assert [problem.file for problem in problems] == [P08, SNF]


@pytest.mark.parametrize(
    "name", ["purposes/x.yml", "purposes/a/b.yaml", "other.yaml", "../catalogue.yaml", "purposes/"]
)
def test_files_that_are_no_part_of_a_set_are_refused(name):
    assert "FILE_UNKNOWN" in {problem.code for problem in problems_of(texts() | {name: "a: 1\n"})}


def test_without_a_catalogue_nothing_loads():
    source = texts()
    del source[CAT]
    assert "MISSING" in {problem.code for problem in problems_of(source)}


def test_a_broken_catalogue_does_not_crash_the_purposes():
    source = bent(CAT, "about: location\n    rows", "about: locatie\n    rows")
    assert [problem.code for problem in problems_of(source)] == ["UNKNOWN_WORD"]


def test_the_error_for_callers_holds_every_problem_as_a_violation():
    with pytest.raises(SluisError) as raised:
        policy_set_from_texts(bent(SNF, "answers: [snf]", "answers: [snff]"))
    assert raised.value.code is Code.POLICY_INVALID
    (violation,) = raised.value.violations
    assert re.fullmatch(r"purposes/snf-locatie\.yaml:\d+", violation.field)
    assert violation.description == "UNKNOWN_WORD: 'snff' is no party or group of the catalogue; did you mean 'snf'?"


def test_digest_is_over_meaning_not_text():
    first = load()
    source = texts()
    source[SNF] = "# a remark\n" + source[SNF].replace("state: active\n", "").replace(
        "asks: [municipalities]\n", "asks:\n  - municipalities   # the whole group\nstate: active\n"
    )
    second = load(source)
    assert second.digest == first.digest
    assert second.text_digest != first.text_digest


def test_a_group_means_its_members():
    members = "[westland, tilburg, rotterdam, waadhoeke, someren, utrecht]"
    assert load(bent(SNF, "asks: [municipalities]", f"asks: {members}")).digest == load().digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("answer_keep_days: 92", "answer_keep_days: 91"),
        ("state: active", "state: shadow"),
        ("asks: [municipalities]", "asks: [utrecht]"),
        ("until: 2027-12-31", "until: 2027-12-30"),
        ("A suspended", "An expired or suspended"),
    ],
)
def test_any_change_of_meaning_changes_the_digest(old, new):
    assert load(bent(SNF, old, new)).digest != load().digest


def test_set_knows_its_parties_and_participants():
    policies = load()
    known = policies.party_by_oin("00000099000000103000")
    assert known is not None
    assert (known.name, known.kind.value, known.oin.is_test) == ("snf", "private", True)
    assert policies.party_by_oin("00000099000000999000") is None
    purpose = policies.purposes["cert-boete"]
    assert policies.participants(purpose) == ("nla", "sna") == policies.participants("cert-boete")
    assert policies.askers(policies.purposes["snf-locatie"]) == (
        "rotterdam", "someren", "tilburg", "utrecht", "waadhoeke", "westland"
    )  # fmt: skip
    assert "privacy-auditor" in policies.catalogue.auditors


def test_a_sub_oin_leads_to_its_party():
    source = bent(CAT, "oin: 00000099000000104000", 'oin: 00000099000000104000\n    sub_oins: ["00000099000000904000"]')
    known = load(source).party_by_oin("00000099000000904000")
    assert known is not None
    assert known.name == "uwv"


def test_lines_are_those_of_the_texts():
    policies = load()
    lines = texts()[SNF].splitlines()
    for path, passage in {
        "asks": "asks:",
        "may_learn.attributes.beds": "beds:",
        "limits.requests_per_day": "limits:",
        "valid.until": "valid:",
    }.items():
        file, _, number = policies.line_of("snf-locatie", path).rpartition(":")
        assert file == SNF
        assert passage in lines[int(number) - 1]
    catalogue = texts()[CAT].splitlines()
    number = int(policies.line_of("snf-locatie", "catalogue.parties.nla.case_number").rpartition(":")[2])
    assert "NLA-[0-9]" in catalogue[number - 1]
    assert policies.line_of("snf-locatie", "") == policies.line_of("no-such-purpose", "asks") == ""


def test_what_was_loaded_cannot_be_changed():
    policies = load()
    with pytest.raises(TypeError):
        policies.purposes["x"] = policies.purposes["bezetting"]
    with pytest.raises(ValueError, match="frozen"):
        policies.purposes["bezetting"].state = "active"
    with pytest.raises(AttributeError):
        policies.digest = ""


def test_reading_never_changes_what_it_is_given():
    source = texts()
    read_policies(source)
    assert source == texts()
