"""Purposes as linked data: DPV 2.1 (W3C Data Privacy Vocabularies CG) and ODRL 2.2 (W3C Recommendation), as JSON-LD.

For registers and catalogues of others. Neither can say all that a purpose says; what is left out is named in the export
itself, and the signed YAML remains what holds. No data of a subject stands in either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from broker.errors import Code, SluisError
from broker.policy.document import PolicySet
from broker.policy.legal_days import midnight
from broker.policy.problems import did_you_mean
from broker.policy.purpose import Purpose
from broker.policy.typing_text import Wording

DPV_CONTEXT: Mapping[str, Any] = {
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
ODRL_CONTEXT: Sequence[Any] = (
    "http://www.w3.org/ns/odrl.jsonld",
    {"dct": "http://purl.org/dc/terms/", "xsd": "http://www.w3.org/2001/XMLSchema#"},
)
GROUNDS = frozenset(
    {
        "eu-gdpr:A6-1-a",
        "eu-gdpr:A6-1-a-explicit-consent",
        "eu-gdpr:A6-1-a-non-explicit-consent",
        "eu-gdpr:A6-1-b",
        "eu-gdpr:A6-1-b-contract-performance",
        "eu-gdpr:A6-1-b-enter-into-contract",
        "eu-gdpr:A6-1-c",
        "eu-gdpr:A6-1-d",
        "eu-gdpr:A6-1-d-data-subject",
        "eu-gdpr:A6-1-d-natural-person",
        "eu-gdpr:A6-1-e",
        "eu-gdpr:A6-1-e-official-authority",
        "eu-gdpr:A6-1-e-public-interest",
        "eu-gdpr:A6-1-f",
        "eu-gdpr:A6-1-f-controller",
        "eu-gdpr:A6-1-f-third-party",
    }
)
"""The grounds of AVG article 6(1) that DPV 2.1 has a term for."""
_OBLIGATION = "eu-gdpr:A6-1-c"
_PER_DAY = "#questions-of-one-party-in-a-day"
_PER_QUESTION = "#subjects-in-one-question"


def to_dpv(policies: PolicySet, purposes: Sequence[Purpose]) -> dict[str, Any]:
    """A `dpv:Process` for each purpose, with the parties that take part.

    Raises POLICY_INVALID for a ground of AVG article 6 that DPV 2.1 has no term for.
    """
    named = sorted({name for purpose in purposes for name in _taking_part(purpose)})
    graph = [_party(policies, name) for name in named] + [_process(policies, purpose) for purpose in purposes]
    return {"@context": dict(DPV_CONTEXT), "@graph": graph}


def to_odrl(policies: PolicySet, purposes: Sequence[Purpose]) -> dict[str, Any]:
    """An ODRL `Set` for each purpose: one permission to read what may be learned, with its constraints and duties."""
    return {"@context": list(ODRL_CONTEXT), "@graph": [_set(policies, purpose) for purpose in purposes]}


def _taking_part(purpose: Purpose) -> set[str]:
    return {*purpose.asks, *purpose.answers, *(pair.principal for pair in purpose.on_behalf_of)}


def _titles(wording: Wording) -> list[dict[str, str]]:
    return [{"@language": "nl", "@value": wording.nl}, {"@language": "en", "@value": wording.en}]


def _address(purpose: Purpose) -> str:
    activity = purpose.processing_activity
    return activity if activity.startswith(("https://", "http://", "urn:")) else f"#purpose-{purpose.name}"


def _party(policies: PolicySet, name: str) -> dict[str, Any]:
    party = policies.catalogue.parties[name]
    return {"@id": f"#party-{name}", "dct:identifier": party.oin, "dct:title": _titles(party.title)}


def _parties(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"@id": f"#party-{name}"} for name in names]


def _process(policies: PolicySet, purpose: Purpose) -> dict[str, Any]:
    processors = sorted({pair.processor for pair in purpose.on_behalf_of})
    principals = sorted({pair.principal for pair in purpose.on_behalf_of})
    controllers = sorted({*purpose.asks, *purpose.answers, *principals} - set(processors))
    about = policies.catalogue.subject_types[purpose.about]
    node: dict[str, Any] = {
        "@id": _address(purpose),
        "@type": "dpv:Process",
        "dct:identifier": purpose.name,
        "dct:title": _titles(purpose.title),
        "dct:valid": f"{purpose.valid.from_}/{purpose.valid.until}",
        "dct:provenance": f"policy set {policies.digest}, state {purpose.state}",
        "dpv:hasPurpose": _purpose_node(policies, purpose),
        "dpv:hasLegalBasis": _basis_node(policies, purpose),
        "dpv:hasDataController": _parties(controllers),
        "dpv:hasRecipient": _parties(sorted({*purpose.asks, *principals})),
        **_data_nodes(policies, purpose, natural=about.natural_person),
        "dpv:hasStorageCondition": {
            "@type": "dpv:StorageDuration",
            "dct:description": f"an answer, at the party that asked: {purpose.answer_keep_days} days",
            "dpv:hasDuration": {"@type": "xsd:duration", "@value": f"P{purpose.answer_keep_days}D"},
        },
        "dpv:hasTechnicalMeasure": [{"@id": "dpv:Pseudonymisation"}, {"@id": "dpv:CryptographicMethods"}],
    }
    if processors:
        node["dpv:hasDataProcessor"] = _parties(processors)
    if about.natural_person:
        node["dpv:hasDataSubject"] = {"@type": "dpv:DataSubject", "dct:title": _titles(about.title)}
    if purpose.dpia is not None:
        node["dpv:hasImpactAssessment"] = {"@type": "dpv:DPIA", "dct:identifier": purpose.dpia}
    if purpose.human_check is not None:
        node["dpv:hasHumanInvolvement"] = {"@id": "dpv:HumanInvolvementForVerification"}
    return node


def _purpose_node(policies: PolicySet, purpose: Purpose) -> dict[str, Any]:
    ground = policies.catalogue.legal_bases[purpose.legal_basis].dpv
    node: dict[str, Any] = {
        # what is done because the law demands it has a term of its own; a task of a public body has none
        "@type": ["dpv:Purpose", "dpv:LegalCompliance"] if ground == _OBLIGATION else "dpv:Purpose",
        "dct:description": purpose.because,
    }
    if purpose.use_only_for is not None:
        node["dct:abstract"] = _titles(purpose.use_only_for)
    return node


def _basis_node(policies: PolicySet, purpose: Purpose) -> dict[str, Any]:
    basis = policies.catalogue.legal_bases[purpose.legal_basis]
    if basis.dpv not in GROUNDS:
        raise SluisError(
            Code.POLICY_INVALID,
            f"legal basis {purpose.legal_basis}: '{basis.dpv}' is no ground of AVG article 6 in DPV 2.1; "
            f"{did_you_mean(basis.dpv, GROUNDS)}",
        )
    return {
        "@type": ["dpv:LegalBasis", basis.dpv],
        "dct:source": basis.citation,
        "dct:description": _titles(basis.summary),
    }


def _data_nodes(policies: PolicySet, purpose: Purpose, *, natural: bool) -> dict[str, Any]:
    """What is processed. Data on addresses and enterprises is not called personal: a person judges that."""
    catalogue = policies.catalogue
    nodes = []
    for name in purpose.may_learn.attributes:
        attribute = catalogue.attributes[name]
        kind = "dpv:PersonalData" if natural else "dpv:Data"
        if attribute.special_category is not None:
            kind = "dpv:SpecialCategoryPersonalData"
        nodes.append({"@id": f"#attribute-{name}", "@type": kind, "dct:title": _titles(attribute.title)})
    for name in purpose.identified_by:
        kind = "dpv:PseudonymisedData" if natural else "dpv:Data"
        title = _titles(catalogue.identifiers[name].title)
        nodes.append({"@id": f"#pseudonym-of-{name}", "@type": kind, "dct:title": title})
    return {"dpv:hasPersonalData" if natural else "dpv:hasData": nodes}


def _set(policies: PolicySet, purpose: Purpose) -> dict[str, Any]:
    learn = purpose.may_learn
    assets = [f"#attribute-{name}" for name in learn.attributes]
    assets += [f"#{purpose.name}-hit"] if learn.hit else []
    assets += [f"#{purpose.name}-count"] if learn.count is not None else []
    return {
        "@type": "Set",
        "uid": f"#policy-{purpose.name}",
        "dct:title": _titles(purpose.title),
        "dct:description": f"Export of policy set {policies.digest}. Not said in ODRL: {', '.join(_unsaid(purpose))}.",
        "permission": [
            {
                "target": assets,
                "assigner": [f"#party-{name}" for name in purpose.answers],
                "assignee": [f"#party-{name}" for name in purpose.asks],
                "action": "read",
                "constraint": _constraints(purpose),
                "duty": [
                    {
                        "action": "delete",
                        "constraint": [
                            _constraint("elapsedTime", "lteq", _typed("xsd:duration", f"P{purpose.answer_keep_days}D"))
                        ],
                    }
                ],
            }
        ],
    }


def _constraints(purpose: Purpose) -> list[dict[str, Any]]:
    limits, valid = purpose.limits, purpose.valid
    ends = midnight(valid.until + timedelta(days=1))
    return [
        _constraint("purpose", "eq", {"@id": _address(purpose)}),
        _constraint("dateTime", "gteq", _typed("xsd:dateTime", f"{midnight(valid.from_):%Y-%m-%dT%H:%M:%SZ}")),
        _constraint("dateTime", "lt", _typed("xsd:dateTime", f"{ends:%Y-%m-%dT%H:%M:%SZ}")),
        # a bare count would bound all use for ever; the unit says per what it is counted
        _constraint("count", "lteq", _typed("xsd:integer", str(limits.requests_per_day)), unit=_PER_DAY),
        _constraint("count", "lteq", _typed("xsd:integer", str(limits.subjects_per_request)), unit=_PER_QUESTION),
    ]


def _constraint(left: str, operator: str, right: Mapping[str, str], unit: str | None = None) -> dict[str, Any]:
    constraint: dict[str, Any] = {"leftOperand": left, "operator": operator, "rightOperand": dict(right)}
    return constraint if unit is None else constraint | {"unit": {"@id": unit}}


def _typed(kind: str, value: str) -> dict[str, str]:
    return {"@type": kind, "@value": value}


def _unsaid(purpose: Purpose) -> list[str]:
    """The keys of a purpose that the ODRL export has no word for."""
    return [*_NEVER_SAID, *(key for key in _SOMETIMES_UNSAID if getattr(purpose, key))]


_NEVER_SAID = ("legal_basis", "identified_by", "pseudonyms", "vault_keep_days")
_SOMETIMES_UNSAID = (
    "on_behalf_of",
    "weakest_match_key",
    "use_only_for",
    "look_back",
    "valid_on",
    "exclude_natural_persons",
    "hit_only_if_natural_person",
    "human_check",
    "deliver_every_days",
    "case_number",
    "cooperation_ref",
)
