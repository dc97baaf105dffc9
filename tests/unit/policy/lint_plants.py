"""What is planted for every code that the linter can give. Used by the tests of lint and of finding codes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from approving import Officers
from policy_samples import texts

from broker.policy.approvals import Approval
from broker.policy.lint import Usage
from broker.policy.problems import Problem

CAT = "catalogue.yaml"
V = "purposes/verhuurvergunning.yaml"
VV = "purposes/verhuurvergunning-verhuurder.yaml"
SNF = "purposes/snf-locatie.yaml"
P02 = "purposes/cert-boete.yaml"
P03 = "purposes/cert-fiscaal.yaml"
P08 = "purposes/bezetting.yaml"
P12 = "purposes/nla-verzoek-persoon.yaml"
OFFICERS = Officers()
YEAR = Usage(date(2025, 11, 1), date(2026, 11, 22), {}, {})


@dataclass(frozen=True)
class Plant:
    """Changes to the samples (passage to passage, by file), and where the finding must stand."""

    code: str
    severity: str
    file: str
    at: str
    """A passage of the line that the finding must name."""
    edits: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    copy: tuple[str, str] | None = None
    """A purpose's file and the name under which it stands a second time."""
    no_answers: bool = False
    officers: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        source = texts()
        if self.no_answers:
            source = {file: text.split("\nanswered:\n")[0] + "\n" for file, text in source.items()}
        if self.copy:
            file, name = self.copy
            source[f"purposes/{name}.yaml"] = re.sub(r"(?m)^purpose: .*$", f"purpose: {name}", source[file])
        if self.officers:
            source = OFFICERS.add_to(source)
        for file, pairs in self.edits.items():
            for old, new in pairs:
                assert old in source[file], (self.code, old)
                source[file] = source[file].replace(old, new, 1)
        return source


def reason_of(file: str) -> str:
    found = re.search(r"(?ms)^because: >-\n.*?(?=^state:)", texts()[file])
    assert found
    return found.group()


def answered(finding: str, on: str = "2026-11-02") -> str:
    return f"answered: [{{finding: {finding}, by: privacy officer, on: {on}, reason: It was judged.}}]\nlimits:"


USE = """use_only_for:
  nl: toezicht in de zaak met het opgegeven zaaknummer
  en: supervision in the case whose number was given
"""
NEED = (
    "permit-status: The inspector tells the municipality of letting without a permit, and leaves a permitted one alone."
)
DPIA_7 = """  DPIA-SAMPLE-07:
    title: {nl: Verhuurvergunningen, en: Letting permits}
    decided_on: 2025-11-03
    review_by: 2028-11-03
"""
SNF_OIN = "oin: 00000099000000103000\n"
OFFER = "    answers_at_most: {subjects_per_request: 999, requests_per_day: 50}\n"
WGV = "longest_retention_days: 180\n"
PERMIT = "    holders: [municipalities]\n"
TILBURG = "oin: 00000099000000206000\n"
COUNT = "  hit: true\n  count: {min_group: 5, per_epoch: 4}\n"
PERSONS = [("state: draft", "state: active\ndpia: DPIA-SAMPLE-04"), ("  hit: true\n", COUNT)]

POINTS = (
    "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
    "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
)
"""Multiples of ristretto255's generator (RFC 9496 appendix A.1)."""
PINNED = f"key_services: [oost, sluis], public_keys: {{2026-11: {{oost: {POINTS[0]}, sluis: {POINTS[1]}}}}}"

PLANTS = [
    Plant(
        "REASON_SHORT", "answer", V, "because:", {V: [(reason_of(V), "because: An inspector wants to know this.\n")]}
    ),
    Plant("REASON_COPIED", "answer", V, "because:", {V: [(reason_of(V), reason_of(VV))]}),
    Plant("NECESSITY_SHORT", "answer", V, "permit-status:", {V: [(NEED, "permit-status: Needed.")]}),
    Plant(
        "NECESSITY_COPIED",
        "answer",
        P03,
        "late-payment:",
        {
            P03: [
                (
                    "The law names it apart from filing; whoever files may still not pay.",
                    "The law names it; a return that is late or missing hides what was due.",
                )
            ]
        },
    ),
    Plant("NO_USE_LIMIT", "answer", V, "purpose:", {V: [(USE, "")]}),
    Plant("ENDED", "answer", V, "valid:", {V: [("until: 2027-12-31", "until: 2026-11-22")]}),
    Plant("ENDS_SOON", "answer", V, "valid:", {V: [("until: 2027-12-31", "until: 2026-11-23")]}),
    Plant(
        "HOLDS_LONG",
        "answer",
        V,
        "valid:",
        {
            V: [("until: 2027-12-31", "until: 2029-01-01")],
            CAT: [("longest_validity_days: 1096", "longest_validity_days: 1097")],
        },
    ),
    Plant("DPIA_UNKNOWN", "refuse", V, "dpia:", {V: [("DPIA-SAMPLE-07", "DPIA-SAMPLE-77")]}),
    Plant("DPIA_NOT_YET", "refuse", V, "dpia:", {CAT: [(DPIA_7, DPIA_7.replace("2025-11-03", "2026-11-24"))]}),
    Plant("DPIA_OVERDUE", "answer", V, "dpia:", {CAT: [(DPIA_7, DPIA_7.replace("2028-11-03", "2026-11-22"))]}),
    Plant("DPIA_DUE_SOON", "note", V, "dpia:", {CAT: [(DPIA_7, DPIA_7.replace("2028-11-03", "2026-11-23"))]}),
    Plant(
        "BASIS_NEVER_HOLDS", "refuse", V, "legal_basis:", {CAT: [(WGV, WGV + "    in_force: {until: 2025-12-31}\n")]}
    ),
    Plant("BASIS_ENDED", "refuse", V, "legal_basis:", {CAT: [(WGV, WGV + "    in_force: {until: 2026-11-22}\n")]}),
    Plant("BASIS_SHORTER", "answer", V, "legal_basis:", {CAT: [(WGV, WGV + "    in_force: {until: 2027-12-30}\n")]}),
    Plant("BASIS_UNCONFIRMED", "note", CAT, "to_be_confirmed:"),
    Plant("ORGANISATION_LEFT", "refuse", V, "answers:", {CAT: [(TILBURG, TILBURG + "    left_on: 2026-11-22\n")]}),
    Plant("ORGANISATION_LEAVES", "note", V, "answers:", {CAT: [(TILBURG, TILBURG + "    left_on: 2026-11-23\n")]}),
    Plant("MANY_ATTRIBUTES", "answer", P02, "attributes:", no_answers=True),
    Plant("BULK", "answer", V, "limits:", {V: [("subjects_per_request: 100,", "subjects_per_request: 10001,")]}),
    Plant("ABOVE_OFFER", "refuse", SNF, "limits:", {CAT: [(SNF_OIN, SNF_OIN + OFFER)]}),
    Plant("NO_CASE_NUMBER", "answer", V, "may_learn:", {V: [("case_number: required\n", "")]}),
    Plant("GROUP_SMALL", "answer", P12, "count:", {P12: PERSONS}),
    Plant("EXACT_COUNT", "answer", P12, "count:", {P12: PERSONS}),
    Plant("COUNT_BESIDE_HITS", "answer", V, "count:", {V: [("  hit: true\n", COUNT)]}),
    Plant("COUNT_BESIDE_PURPOSE", "answer", P08, "count:", no_answers=True),
    Plant("COUNT_TWICE", "answer", "purposes/bezetting-twee.yaml", "count:", copy=(P08, "bezetting-twee")),
    Plant(
        "COVERED",
        "answer",
        "purposes/vergunning.yaml",
        "purpose:",
        {"purposes/vergunning.yaml": [("requests_per_day: 100", "requests_per_day: 99")]},
        copy=(V, "vergunning"),
    ),
    Plant(
        "CHAIN_TO_NATIONAL_NUMBER",
        "answer",
        V,
        "permit-status:",
        {CAT: [(PERMIT, "    identifies: loonheffing\n" + PERMIT)]},
    ),
    Plant(
        "NATIONAL_NUMBER_LEARNED",
        "refuse",
        P02,
        "establishment-number:",
        {CAT: [("identifies: vestiging", "identifies: bsn")]},
    ),
    Plant(
        "SPECIAL_CATEGORY",
        "refuse",
        V,
        "permit-status:",
        {CAT: [(PERMIT, "    special_category: criminal\n" + PERMIT)]},
    ),
    Plant(
        "UNUSED_ATTRIBUTE",
        "note",
        CAT,
        "  beds:",
        {SNF: [("    beds: Needed to see whether the number of residents fits what was certified.\n", "")]},
    ),
    Plant(
        "UNUSED_WORD",
        "note",
        CAT,
        "  DPIA-SAMPLE-10:",
        {"purposes/nau-status.yaml": [("DPIA-SAMPLE-10", "DPIA-SAMPLE-07")]},
    ),
    Plant("SERVICE_KEYS_MISSING", "refuse", P12, "pseudonyms:", {P12: PERSONS}),
    Plant(
        "SERVICE_KEYS_DUE",
        "note",
        P12,
        "public_keys:",
        {P12: [*PERSONS, ("key_services: [oost, sluis]", PINNED)]},
    ),
    Plant("MANY_EVALUATIONS", "answer", P12, "evaluations_per_epoch:", {P12: [*PERSONS, ("250000", "760000")]}),
    Plant(
        "KEY_SERVICES_ONE_OPERATOR",
        "refuse",
        P12,
        "key_services:",
        {
            P12: [("state: draft", "state: shadow\nshadow_of: verhuurvergunning")],
            CAT: [("operator: sleuteldienst-oost", "operator: broker")],
        },
    ),
    Plant(
        "KEY_SERVICE_OF_PARTICIPANT",
        "answer",
        P12,
        "key_services:",
        {P12: PERSONS, CAT: [("operator: sleuteldienst-oost", "operator: svb")]},
    ),
    Plant("NO_OFFICERS", "note", CAT, "catalogue:"),
    Plant("NO_AUTHOR", "note", V, "purpose:", officers=True),
    Plant(
        "NO_APPROVER", "answer", V, "written_by:", {V: [("limits:", "written_by: nla-officer\nlimits:")]}, officers=True
    ),
    Plant(
        "AUTHOR_APPROVES",
        "refuse",
        V,
        "written_by:",
        {V: [("limits:", "written_by: nla-officer\nlimits:")]},
        officers=True,
        options={"approvals": [Approval("verhuurvergunning", "nla-officer", "", "2026-11-22", "")]},
    ),
    Plant("ANSWER_UNKNOWN_CODE", "refuse", V, "answered:", {V: [("limits:", answered("NO_CASE_NMBER"))]}),
    Plant("ANSWER_NOT_ALLOWED", "refuse", V, "answered:", {V: [("limits:", answered("SPECIAL_CATEGORY"))]}),
    Plant("ANSWER_IN_FUTURE", "refuse", V, "answered:", {V: [("limits:", answered("BULK", "2026-11-24"))]}),
    Plant("ANSWER_IDLE", "note", V, "answered:", {V: [("limits:", answered("BULK"))]}),
    Plant(
        "SHADOW_IDLE",
        "note",
        "purposes/schaduw.yaml",
        "shadow_of:",
        {"purposes/schaduw.yaml": [("state: active", "state: shadow\nshadow_of: nla-verzoek-persoon")]},
        copy=(V, "schaduw"),
    ),
    Plant(
        "LOG_TOO_SHORT",
        "note",
        CAT,
        "catalogue:",
        options={"usage": Usage(date(2026, 11, 1), date(2026, 11, 22), {}, {})},
    ),
    Plant(
        "NEVER_USED", "answer", V, "purpose:", {V: [("from: 2026-01-01", "from: 2025-11-01")]}, options={"usage": YEAR}
    ),
    Plant(
        "ATTRIBUTE_NEVER_ASKED",
        "answer",
        V,
        "permit-status:",
        {V: [("from: 2026-01-01", "from: 2025-11-01")]},
        options={"usage": Usage(YEAR.first, YEAR.last, {"verhuurvergunning": 3}, {})},
    ),
    Plant(
        "UNHELD",
        "answer",
        V,
        "# yaml-language-server",
        options={"unheld": (Problem(V, 1, "UNHELD", "no test notices", "hold it"),)},
    ),
]
