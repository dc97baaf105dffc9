"""The vocabulary in use: special categories, national numbers that are learned, laws to be confirmed, unused words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from broker.policy.lint.finding import Ground, Remark
from broker.policy.terms import listed_names


def special_categories(ground: Ground) -> Iterator[Remark]:
    """Data of AVG article 9 or 10 without a law that lifts the ban. Such data is of natural persons alone."""
    catalogue = ground.policies.catalogue
    for purpose in ground.kept:
        lifted = catalogue.legal_bases[purpose.legal_basis].special_categories
        for name in purpose.may_learn.attributes:
            category = catalogue.attributes[name].special_category
            if category is None or category in lifted or purpose.exclude_natural_persons:
                continue
            article = "10" if category == "criminal" else "9"
            text = f"'{name}' can be data on {category} (AVG {article}), which {purpose.legal_basis} does not allow"
            hint = (
                f"cite the law under legal_bases.{purpose.legal_basis}.special_categories, leave '{name}' out, "
                "or write `exclude_natural_persons: true`"
            )
            yield ground.at(purpose, ("may_learn", "attributes", name), "SPECIAL_CATEGORY", text, hint)


def national_numbers_learned(ground: Ground) -> Iterator[Remark]:
    """An attribute that shows a national number to a party that may not use it (UAVG 46)."""
    catalogue = ground.policies.catalogue
    for purpose in ground.kept:
        parties = {*purpose.asks, *purpose.answers, *(pair.principal for pair in purpose.on_behalf_of)}
        wrong = tuple(sorted(name for name in parties if catalogue.parties[name].bsn_entitled is None))
        for name in purpose.may_learn.attributes:
            shown = catalogue.attributes[name].identifies
            if shown is None or not catalogue.identifiers[shown].is_national_number or not wrong:
                continue
            text = f"'{name}' shows a national number ('{shown}'), and no law lets {listed_names(wrong)} use it"
            hint = f"leave '{name}' out; only a party with `bsn_entitled` may handle it"
            yield ground.at(purpose, ("may_learn", "attributes", name), "NATIONAL_NUMBER_LEARNED", text, hint)


def unconfirmed(ground: Ground) -> Iterator[Remark]:
    """Laws under active purposes that no lawyer has read yet, in one remark."""
    bases = ground.policies.catalogue.legal_bases
    used = {purpose.legal_basis for purpose in ground.judged}
    waiting = tuple(name for name in bases if name in used and bases[name].to_be_confirmed)
    if waiting:
        text = f"active purposes rest on laws that are to be confirmed: {listed_names(waiting)}"
        hint = "let a lawyer read each citation, then remove its `to_be_confirmed:`"
        yield ground.in_catalogue(("legal_bases", waiting[0], "to_be_confirmed"), "BASIS_UNCONFIRMED", text, hint)


def unused(ground: Ground) -> Iterator[Remark]:
    """Words of the catalogue that no purpose draws on."""
    catalogue = ground.policies.catalogue
    learned = {name for purpose in ground.kept for name in purpose.may_learn.attributes}
    for name in catalogue.attributes:
        if name not in learned:
            text = f"no purpose lets anybody learn '{name}'"
            hint = "remove it, or keep it for the purpose that is to come"
            yield ground.in_catalogue(("attributes", name), "UNUSED_ATTRIBUTE", text, hint)
    parties = {
        name
        for purpose in ground.kept
        for name in (*purpose.asks, *purpose.answers, *(pair.principal for pair in purpose.on_behalf_of))
    }
    services = {name for purpose in ground.kept for name in purpose.pseudonyms.key_services}
    operators = {service.operator for service in catalogue.key_services.values()}
    lists: tuple[tuple[str, str, Iterable[str], set[str]], ...] = (
        ("parties", "party", catalogue.parties, parties | set(catalogue.auditors) | operators),
        ("key_services", "key service", catalogue.key_services, services),
        ("identifiers", "identifier", catalogue.identifiers, {i for p in ground.kept for i in p.identified_by}),
        ("legal_bases", "legal basis", catalogue.legal_bases, {purpose.legal_basis for purpose in ground.kept}),
        ("dpias", "DPIA", catalogue.dpias, {purpose.dpia for purpose in ground.kept if purpose.dpia}),
    )
    for key, what, known, used in lists:
        for name in known:
            if name not in used:
                text = f"no purpose draws on the {what} '{name}'"
                hint = "remove it, or keep it for the purpose that is to come"
                yield ground.in_catalogue((key, name), "UNUSED_WORD", text, hint)
