"""`policies/officers.yaml`: who approves purposes, for which parties, under which key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from broker.policy.catalogue import Catalogue
from broker.policy.problems import Problem, did_you_mean
from broker.policy.strict_yaml import YamlFile
from broker.policy.typing_text import Closed, Name, Wording, key_text


class Officer(Closed):
    """A function, never a person's name, that signs for parties. `signs_for`: parties, or groups it represents."""

    title: Wording
    signs_for: Annotated[tuple[Name, ...], Field(min_length=1)]
    key: Annotated[str, BeforeValidator(key_text)]


class Officers(Closed):
    """The whole file."""

    officers: dict[Name, Officer]


def check_officers(catalogue: Catalogue, officers: Mapping[str, Officer], source: YamlFile) -> Iterator[Problem]:
    """Every problem between the officers and the catalogue."""
    keys: dict[str, str] = {}
    for name, officer in officers.items():
        if officer.key in keys:
            line = source.line(("officers", name, "key"))
            text = f"has the key of {keys[officer.key]}"
            yield Problem(source.file, line, "KEY_REPEATED", text, "every officer signs with a key of its own")
        keys[officer.key] = name
        for position, party in enumerate(officer.signs_for):
            if party not in catalogue.parties and party not in catalogue.groups:
                line = source.line(("officers", name, "signs_for", position))
                hint = did_you_mean(party, {*catalogue.parties, *catalogue.groups})
                yield Problem(source.file, line, "UNKNOWN_WORD", f"'{party}' is no party or group", hint)
