"""The policy set: catalogue and purposes as one frozen unit with its digests, swapped whole and never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any

from broker.canonical import canonical_json
from broker.parties import Oin, PartyKind
from broker.policy.catalogue import Catalogue
from broker.policy.cross_checks import check_catalogue, check_purpose, check_together, list_out
from broker.policy.officers import Officer, Officers, check_officers
from broker.policy.problems import Problem
from broker.policy.purpose import Purpose
from broker.policy.schema import read_model
from broker.policy.strict_yaml import YamlFile, read_yaml
from broker.policy.terms import Terms, terms_of

__all__ = ["Catalogue", "KnownParty", "PolicySet", "Purpose", "read_policies", "text_digest_of"]

CATALOGUE_FILE = "catalogue.yaml"
OFFICERS_FILE = "officers.yaml"
PURPOSE_FOLDER = "purposes/"
IN_CATALOGUE = "catalogue."
"""How a check's path begins when the line stands in the catalogue and not in the purpose."""


@dataclass(frozen=True)
class KnownParty:
    """A party of the catalogue under its name."""

    name: str
    oin: Oin
    kind: PartyKind


@dataclass(frozen=True, repr=False)
class PolicySet:
    """Everything that decides, as one value. Built by `broker.policy.bundle`; nothing in it changes afterwards."""

    digest: str
    """Hex SHA-256 of the canonical meaning: comments and key order do not change it."""
    text_digest: str
    revision: int
    expires: datetime | None
    """From this moment on the set denies everything; None only for drafts and the demo."""
    signers: tuple[str, ...]
    """Hex Ed25519 keys whose signatures were verified, sorted."""
    catalogue: Catalogue
    purposes: Mapping[str, Purpose]
    meaning: Mapping[str, Any]
    texts: Mapping[str, str]
    terms: Mapping[str, Terms] = field(default_factory=dict)
    """What `evaluate` looks up, per purpose; follows from catalogue and purposes alone."""
    lines: Mapping[str, YamlFile] = field(default_factory=dict)
    oins: Mapping[str, KnownParty] = field(default_factory=dict)
    officers: Mapping[str, Officer] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"PolicySet(revision={self.revision}, digest={self.digest[:12]}, purposes={len(self.purposes)})"

    @cached_property
    def shadows(self) -> Mapping[str, tuple[str, ...]]:
        """Purpose -> the purposes in state shadow that are evaluated beside it."""
        found: dict[str, tuple[str, ...]] = {}
        for name, purpose in self.purposes.items():
            if purpose.shadow_of is not None and purpose.state == "shadow":
                found[purpose.shadow_of] = (*found.get(purpose.shadow_of, ()), name)
        return found

    def party_by_oin(self, oin: Oin | str) -> KnownParty | None:
        """The party with this OIN or sub-OIN."""
        return self.oins.get(str(oin))

    def participants(self, purpose: Purpose | str) -> tuple[str, ...]:
        """Who asks and who answers, sorted: those who hold the key. A principal leaves the asking to its processor."""
        known = self.purposes[purpose] if isinstance(purpose, str) else purpose
        return tuple(sorted({*known.asks, *known.answers}))

    def askers(self, purpose: Purpose) -> tuple[str, ...]:
        """The parties that may ask, groups listed out, sorted."""
        return purpose.asks

    def answerers(self, purpose: Purpose) -> tuple[str, ...]:
        """The parties that may be asked, groups listed out, sorted."""
        return purpose.answers

    def line_of(self, purpose: str, path: str) -> str:
        """File and line of a check's path, such as `purposes/snf-locatie.yaml:17`; "" when no line says it."""
        if not path:
            return ""
        if path.startswith(IN_CATALOGUE):
            file, path = CATALOGUE_FILE, path[len(IN_CATALOGUE) :]
        else:
            file = _file_of(purpose)
        source = self.lines.get(file)
        if source is None:
            return ""
        steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
        return f"{file}:{source.line(steps)}"


def read_policies(
    texts: Mapping[str, str], *, revision: int = 0, expires: datetime | None = None, signers: tuple[str, ...] = ()
) -> tuple[PolicySet | None, tuple[Problem, ...]]:
    """The set that `texts` (file name to exact text) mean, or every problem found; never both."""
    problems: list[Problem] = []
    sources = _sources(texts, problems)
    catalogue = _catalogue(sources, problems)
    officers = _officers(sources, catalogue, problems)
    purposes: dict[str, Purpose] = {}
    for file, source in sorted(sources.items()):
        if not file.startswith(PURPOSE_FOLDER):
            continue
        purpose, found = read_model(Purpose, source)
        problems += found
        if purpose is None:
            continue
        if file != _file_of(purpose.purpose):
            line = source.line(("purpose",))
            hint = f"name both alike: the file {purpose.purpose}.yaml, or the purpose after the file"
            problems.append(Problem(file, line, "FILE_NAME_DIFFERS", "file and purpose have different names", hint))
        if catalogue is not None:
            problems += check_purpose(catalogue, purpose, source)
            purposes[purpose.purpose] = list_out(catalogue, purpose)
    problems += check_together(purposes, officers, sources)
    if problems or catalogue is None:
        return None, tuple(sorted(set(problems)))
    policies = _assemble(catalogue, purposes, officers, texts, sources)
    return replace(policies, revision=revision, expires=expires, signers=tuple(sorted(signers))), ()


def text_digest_of(texts: Mapping[str, str]) -> str:
    """Hex SHA-256 of the canonical texts: what an auditor compares with the files that were read."""
    return hashlib.sha256(canonical_json(dict(texts))).hexdigest()


def _sources(texts: Mapping[str, str], problems: list[Problem]) -> dict[str, YamlFile]:
    sources = {}
    for file, text in sorted(texts.items()):
        name = file.removeprefix(PURPOSE_FOLDER)
        if file not in (CATALOGUE_FILE, OFFICERS_FILE) and (name == file or "/" in name or not name.endswith(".yaml")):
            hint = f"a policy set holds {CATALOGUE_FILE}, {OFFICERS_FILE} and {PURPOSE_FOLDER}<purpose>.yaml"
            problems.append(Problem(file, 1, "FILE_UNKNOWN", "this file is no part of a policy set", hint))
            continue
        source, found = read_yaml(text, file)
        problems += found
        if source is not None:
            sources[file] = source
    return sources


def _catalogue(sources: Mapping[str, YamlFile], problems: list[Problem]) -> Catalogue | None:
    source = sources.get(CATALOGUE_FILE)
    if source is None:
        if not problems:
            problems.append(
                Problem(
                    CATALOGUE_FILE, 1, "MISSING", "there is no catalogue", "add it, or name the folder that holds it"
                )
            )
        return None
    catalogue, found = read_model(Catalogue, source)
    problems += found
    if catalogue is not None:
        wrong = check_catalogue(catalogue, source)
        problems += wrong
        return None if wrong else catalogue
    return None


def _officers(
    sources: Mapping[str, YamlFile], catalogue: Catalogue | None, problems: list[Problem]
) -> dict[str, Officer]:
    source = sources.get(OFFICERS_FILE)
    if source is None:
        return {}
    read, found = read_model(Officers, source)
    problems += found
    if read is not None and catalogue is not None:
        problems += check_officers(catalogue, read.officers, source)
    return dict(read.officers) if read else {}


def _file_of(purpose: str) -> str:
    return f"{PURPOSE_FOLDER}{purpose}.yaml"


def _assemble(
    catalogue: Catalogue,
    purposes: dict[str, Purpose],
    officers: dict[str, Officer],
    texts: Mapping[str, str],
    sources: Mapping[str, YamlFile],
) -> PolicySet:
    meaning: dict[str, Any] = {
        "catalogue": catalogue.model_dump(mode="json", by_alias=True),
        "purposes": {name: purpose.model_dump(mode="json", by_alias=True) for name, purpose in purposes.items()},
    }
    if OFFICERS_FILE in sources:
        meaning["officers"] = {name: officer.model_dump(mode="json") for name, officer in officers.items()}
    oins = {
        oin: KnownParty(name, Oin(oin), PartyKind(party.kind))
        for name, party in catalogue.parties.items()
        for oin in (party.oin, *party.sub_oins)
    }
    return PolicySet(
        digest=hashlib.sha256(canonical_json(meaning)).hexdigest(),
        text_digest=text_digest_of(texts),
        revision=0,
        expires=None,
        signers=(),
        catalogue=catalogue,
        purposes=MappingProxyType(purposes),
        meaning=meaning,
        texts=MappingProxyType(dict(texts)),
        terms=MappingProxyType({name: terms_of(catalogue, purpose) for name, purpose in purposes.items()}),
        lines=MappingProxyType(dict(sources)),
        oins=MappingProxyType(oins),
        officers=MappingProxyType(officers),
    )
