"""Key services of purposes in mode `oblivious`: who runs them, how much they evaluate, and which epochs have keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from broker.policy.key_services import independent_operators, standing_faults
from broker.policy.legal_days import epoch_name
from broker.policy.lint.finding import Ground, Remark

SOON = timedelta(days=14)
"""Long enough to have the services make keys, and a revision with them signed by all sides."""
BSN_SPACE = 90_909_091
"""Nine-digit numbers that pass the test of a BSN."""
_A_YEAR = {"month": 12, "quarter": 4, "year": 1}
YEARS_TO_TRY_ALL = 10
"""A party that could try every BSN within fewer years has a limit above what any work needs. Ours, not the law's."""


def standing(ground: Ground) -> Iterator[Remark]:
    """What reading refuses in an active purpose, told of one that is to become so."""
    for purpose in ground.kept:
        for fault in standing_faults(ground.policies.catalogue, purpose):
            yield ground.at(purpose, *fault)


def operators(ground: Ground) -> Iterator[Remark]:
    """Key services that are all run by the broker and by parties that hold K themselves."""
    catalogue = ground.policies.catalogue
    for purpose in ground.kept:
        if purpose.pseudonyms.key_services and not independent_operators(catalogue, purpose):
            text = "every key service is run by the broker or by a party that takes part, and so holds K"
            hint = "name a service whose operator neither asks nor answers here, or say why that cannot be"
            yield ground.at(purpose, ("pseudonyms", "key_services"), "KEY_SERVICE_OF_PARTICIPANT", text, hint)


def public_keys(ground: Ground) -> Iterator[Remark]:
    """The epoch that runs, and the one that is about to, without public keys: nobody can make pseudonyms then.

    Of active purposes and shadows only: a draft waits for its keys as it waits for its signatures.
    """
    for purpose in ground.judged:
        pseudonyms = purpose.pseudonyms
        if pseudonyms.mode != "oblivious":
            continue
        path = ("pseudonyms", "public_keys") if pseudonyms.public_keys else ("pseudonyms",)
        hint = "run `sluis key-service key make` at each service, and write the lines it prints here"
        running = epoch_name(pseudonyms.epoch, ground.today)
        coming = epoch_name(pseudonyms.epoch, ground.today + SOON)
        if running not in pseudonyms.public_keys:
            text = f"epoch {running} runs, and no public keys of the key services stand here"
            yield ground.at(purpose, path, "SERVICE_KEYS_MISSING", text, hint)
        elif coming not in pseudonyms.public_keys:
            text = f"epoch {coming} begins within {SOON.days} days, and no public keys stand here"
            yield ground.at(purpose, path, "SERVICE_KEYS_DUE", text, hint)


def evaluations(ground: Ground) -> Iterator[Remark]:
    """A limit under which one party tries every BSN within a few years."""
    for purpose in ground.kept:
        for key in ("evaluations_per_epoch", "register_evaluations_per_epoch"):
            most = getattr(purpose.limits, key)
            if most is None or not ground.about_persons(purpose):
                continue
            years = BSN_SPACE / (most * _A_YEAR[purpose.pseudonyms.epoch])
            if years < YEARS_TO_TRY_ALL:
                text = f"with {most:,} evaluations a {purpose.pseudonyms.epoch} every BSN is tried in {years:.1f} years"
                yield ground.at(
                    purpose, ("limits", key), "MANY_EVALUATIONS", text, f"lower `{key}` to what the work needs"
                )
