"""What a policy set must say of key services, in mode `oblivious`: who runs them, and under which public keys.

Two services under two operators are the whole of that mode: whoever holds K and every service's key can compute the
pseudonym of every possible number, as in mode `keyed`. So what weakens that is a fault here, in the linter and at load.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from broker.policy.catalogue import Catalogue
from broker.policy.problems import did_you_mean
from broker.policy.purpose import Purpose
from broker.policy.strict_yaml import Path

BROKER = "broker"
"""The operator of the broker's own key service, which is no party of the catalogue."""
FEWEST = 2
_EPOCHS = {"year": (4, "2026"), "quarter": (6, "2026Q4"), "month": (7, "2026-11")}
"""By kind, the length of an epoch's name and one to show."""
Fault: TypeAlias = tuple[Path, str, str, str]
"""Where, which code, what is wrong, and what to do."""


def catalogue_faults(catalogue: Catalogue) -> Iterator[Fault]:
    """Operators that are no party."""
    for name, service in catalogue.key_services.items():
        if service.operator != BROKER and service.operator not in catalogue.parties:
            hint = did_you_mean(service.operator, {BROKER, *catalogue.parties})
            text = f"'{service.operator}' is no party, and not `{BROKER}`"
            yield ("key_services", name, "operator"), "UNKNOWN_WORD", text, hint


def purpose_faults(purpose: Purpose) -> Iterator[Fault]:
    """What can stand in no state: words of mode `oblivious` in another mode, and public keys that fit nothing."""
    pseudonyms = purpose.pseudonyms
    if pseudonyms.mode != "oblivious":
        said: tuple[tuple[Path, object], ...] = (
            (("pseudonyms", "key_services"), pseudonyms.key_services),
            (("pseudonyms", "public_keys"), pseudonyms.public_keys),
            (("limits", "evaluations_per_epoch"), purpose.limits.evaluations_per_epoch),
            (("limits", "register_evaluations_per_epoch"), purpose.limits.register_evaluations_per_epoch),
        )
        for path, value in said:
            if value:
                text = f"`{path[-1]}` means something in mode oblivious only"
                yield path, "OBLIVIOUS_ONLY", text, "remove it, or write `mode: oblivious`"
        return
    length, example = _EPOCHS[pseudonyms.epoch]
    for epoch, keys in pseudonyms.public_keys.items():
        path = ("pseudonyms", "public_keys", epoch)
        if len(epoch.partition(".")[0]) != length:
            text = f"'{epoch}' is no {pseudonyms.epoch}, and a key holds for a {pseudonyms.epoch}"
            yield path, "EPOCH_NAME", text, f"write it such as {example}"
        missing = [name for name in sorted(pseudonyms.key_services) if name not in keys]
        others = [name for name in sorted(keys) if name not in pseudonyms.key_services]
        if missing or others:
            parts = [f"lacks the key of {', '.join(missing)}"] if missing else []
            parts += [f"has a key of {', '.join(others)}, which is not under `key_services`"] if others else []
            hint = "write the key of each key service, and of no other"
            yield path, "SERVICE_KEYS_INCOMPLETE", f"epoch {epoch} {' and '.join(parts)}", hint


def standing_faults(catalogue: Catalogue, purpose: Purpose) -> Iterator[Fault]:
    """What an active purpose in mode `oblivious` cannot be without: refused at load, and told of others by the linter.

    Two services, not all of one operator (so that one is not the broker's), and a limit on evaluations.
    """
    services = purpose.pseudonyms.key_services
    if purpose.pseudonyms.mode != "oblivious":
        return
    operators = {catalogue.key_services[name].operator for name in services}
    if len(set(services)) < FEWEST:
        text = f"mode oblivious needs {FEWEST} key services, and {len(set(services))} are named"
        hint = f"write `key_services:` with ids of the catalogue: {', '.join(sorted(catalogue.key_services)) or 'none'}"
        yield ("pseudonyms", "key_services"), "KEY_SERVICES_TOO_FEW", text, hint
    elif len(operators) == 1:
        text = f"every key service is run by {next(iter(operators))}, which then holds all keys"
        hint = "name a service of another operator beside it"
        yield ("pseudonyms", "key_services"), "KEY_SERVICES_ONE_OPERATOR", text, hint
    if purpose.limits.evaluations_per_epoch is None:
        text = "mode oblivious holds against guessing only with a limit on evaluations"
        hint = "add `evaluations_per_epoch:` under `limits`: what a party needs in an epoch, and not more"
        yield ("limits",), "NO_EVALUATION_LIMIT", text, hint


def independent_operators(catalogue: Catalogue, purpose: Purpose) -> tuple[str, ...]:
    """Operators of the purpose's key services that are neither the broker nor take part, sorted."""
    taking_part = {BROKER, *purpose.asks, *purpose.answers, *(pair.principal for pair in purpose.on_behalf_of)}
    operators = {catalogue.key_services[name].operator for name in purpose.pseudonyms.key_services}
    return tuple(sorted(operators - taking_part))


def repeated_keys(purposes: Iterable[Purpose]) -> Iterator[tuple[str, Fault]]:
    """Every public key that stands a second time, with the purpose where it does."""
    seen: dict[str, str] = {}
    for purpose in purposes:
        for epoch, keys in purpose.pseudonyms.public_keys.items():
            for service, key in keys.items():
                place = f"{service} in {epoch} of {purpose.name}"
                if key in seen:
                    text = f"the key of {place} is also that of {seen[key]}"
                    hint = "let the service make a key of its own for each purpose and epoch"
                    path = ("pseudonyms", "public_keys", epoch, service)
                    yield purpose.name, (path, "SERVICE_KEY_REPEATED", text, hint)
                seen.setdefault(key, place)
