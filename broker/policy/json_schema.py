"""JSON Schema (2020-12) of the policy files, for editors: made from the models that read them.

What a schema refuses, the reader refuses; the reader catches more (`docs/write-policy.md`). Only keywords that draft 7
has too are used, and nothing is referred to from elsewhere, since editors differ in both. With a vocabulary, the words
that a key can take stand in the schema, so that an editor completes and flags them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from broker.policy.catalogue import Catalogue
from broker.policy.check_words import QUESTIONS
from broker.policy.evaluate import CHECK_IDS, GUARD_IDS, STANDING
from broker.policy.hover_text import ABOUT_FILES, HOVER
from broker.policy.officers import Officer, Officers
from broker.policy.policy_test import Question, TestFile
from broker.policy.purpose import Purpose
from broker.policy.typing_text import JSON_SHAPES, Wording

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODELS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {"catalogue": Catalogue, "purpose": Purpose, "officers": Officers, "test": TestFile, "question": Question}
)
"""The files that have a schema: `<name>.schema.json`."""
_KEY = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$"
_LARGEST = 999_999_999
_CHECKS = "checks"


Words: TypeAlias = Mapping[str, str]
"""Words, each with what an editor says about it; "" for nothing."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that files may use, by kind, such as `parties`."""

    words: Mapping[str, Words]

    @classmethod
    def of(cls, catalogue: Catalogue, officers: Mapping[str, Officer], purposes: Iterable[str]) -> Vocabulary:
        """The words of a catalogue and its officers. `purposes`: names of their files, which need not be readable."""
        parties = {name: _both(party.title) for name, party in catalogue.parties.items()}
        groups = {name: "group: " + ", ".join(members) for name, members in catalogue.groups.items()}
        attributes = {name: f"{_both(a.title)}. {_both(a.meaning)}" for name, a in catalogue.attributes.items()}
        known: dict[str, Words] = {
            "parties": parties,
            "parties and groups": parties | groups,
            "subject types": {name: _both(subject.title) for name, subject in catalogue.subject_types.items()},
            "identifiers": {name: _both(identifier.title) for name, identifier in catalogue.identifiers.items()},
            "attributes": attributes,
            "wants": {"hit": "whether each subject is in the register", "count": "a number of hits"} | attributes,
            "legal bases": {name: f"{b.citation}. {_both(b.summary)}" for name, b in catalogue.legal_bases.items()},
            "dpias": {name: _both(dpia.title) for name, dpia in catalogue.dpias.items()},
            "key services": {name: _both(service.title) for name, service in catalogue.key_services.items()},
            "operators": {"broker": "the broker's own"} | parties,
            "officers": {name: _both(officer.title) for name, officer in officers.items()},
            "purposes": dict.fromkeys(purposes, ""),
        }
        return cls(MappingProxyType(known))


def _both(wording: Wording) -> str:
    return f"{wording.nl} / {wording.en}"


@dataclass(frozen=True)
class _Takes:
    """Which words a key takes. `strict`: others are flagged; else they are only offered."""

    words: str
    strict: bool = True


_TAKES: Mapping[str, _Takes] = {
    "Purpose.asks": _Takes("parties and groups"),
    "Purpose.answers": _Takes("parties and groups"),
    "Purpose.about": _Takes("subject types"),
    "Purpose.identified_by": _Takes("identifiers"),
    "Purpose.legal_basis": _Takes("legal bases"),
    "Purpose.dpia": _Takes("dpias"),
    "Purpose.written_by": _Takes("officers"),
    "Purpose.shadow_of": _Takes("purposes"),
    "OnBehalfOf.processor": _Takes("parties"),
    "OnBehalfOf.principal": _Takes("parties"),
    "MayLearn.attributes": _Takes("attributes"),
    "Pseudonyms.steward": _Takes("parties"),
    "Pseudonyms.successors": _Takes("parties"),
    "Pseudonyms.key_services": _Takes("key services"),
    "Officer.signs_for": _Takes("parties and groups"),
    "TestFile.purpose": _Takes("purposes"),
    "Expectation.because": _Takes(_CHECKS),
    # a test may well use words that are wrong: it expects the denial
    "Question.purpose": _Takes("purposes", strict=False),
    "Question.asks": _Takes("parties", strict=False),
    "Question.on_behalf_of": _Takes("parties", strict=False),
    "Question.answers": _Takes("parties", strict=False),
    "Question.identified_by": _Takes("identifiers", strict=False),
    "Question.want": _Takes("wants", strict=False),
    # the catalogue defines these words itself, so a new one must not be flagged
    "Catalogue.groups": _Takes("parties", strict=False),
    "Catalogue.auditors": _Takes("parties", strict=False),
    "Identifier.about": _Takes("subject types", strict=False),
    "Attribute.holders": _Takes("parties and groups", strict=False),
    "Attribute.identifies": _Takes("identifiers", strict=False),
    "KeyService.operator": _Takes("operators", strict=False),
}


def schema_of(name: str, vocabulary: Vocabulary | None = None) -> dict[str, Any]:
    """The schema of one kind of file of `MODELS`. The same models and vocabulary give the same schema."""
    raw = MODELS[name].model_json_schema(by_alias=True, schema_generator=_Generator, mode="validation")
    definitions = raw.pop("$defs", {})
    checks = {check: QUESTIONS[check]["en"] for check in (*CHECK_IDS, *GUARD_IDS, STANDING)}
    words = {_CHECKS: checks, **(vocabulary.words if vocabulary else {})}
    for owner, part in {MODELS[name].__name__: raw, **definitions}.items():
        part.pop("description", None)  # the docstring of a model is for whoever programs
        for key, schema in part.get("properties", {}).items():
            part["properties"][key] = _described(f"{owner}.{key}", schema, words)
    return {"$schema": DIALECT, "title": f"Sluis: {name}", "description": ABOUT_FILES[name], **_plain(raw, definitions)}


def schema_text(schema: Mapping[str, Any]) -> str:
    """The bytes of a schema file, as text."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    """pydantic's own, but for what the reader types itself (`broker.policy.typing_text`)."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        function: Any = schema["function"]["function"]
        if function in JSON_SHAPES:
            # bounds stand in the inner schema, the form of the text in the shape
            return {**JSON_SHAPES[function], **{key: inner[key] for key in ("minimum", "maximum") if key in inner}}
        if schema["schema"]["type"] == "nullable":  # such a validator is what makes the word null mean nothing
            return {"anyOf": [inner, {"type": "null"}]}
        return inner

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])  # a key is left out, never null

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {"minimum": schema.get("ge", 0), "maximum": schema.get("le", _LARGEST)}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        return {"type": "string", "enum": list(schema["expected"])}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        keys = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        values = self.generate_inner(schema["values_schema"]) if "values_schema" in schema else {}
        if "enum" in keys:
            return {"type": "object", "propertyNames": {"enum": keys["enum"]}, "additionalProperties": values}
        pattern = keys.get("pattern", _KEY)
        allowed = pattern if pattern.startswith("^") else _KEY
        return {"type": "object", "propertyNames": {"pattern": allowed}, "additionalProperties": values}

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False


def _described(place: str, schema: dict[str, Any], words: Mapping[str, Words]) -> dict[str, Any]:
    takes = _TAKES.get(place)
    if takes is not None and words.get(takes.words):
        _fill(schema, words[takes.words], takes.strict)
    return {"description": HOVER[place], **schema} if place in HOVER else schema


def _fill(schema: dict[str, Any], words: Words, strict: bool) -> None:
    """Puts the words where a key's value, the items of its list or the keys of its map are named."""
    if schema.get("type") == "array":
        _fill(schema["items"], words, strict)
    elif schema.get("type") == "object" and schema["additionalProperties"].get("type") == "array":
        _fill(schema["additionalProperties"], words, strict)
    elif schema.get("type") == "object":
        values = schema["additionalProperties"]
        del schema["propertyNames"]
        schema |= {
            "properties": {word: {"description": words[word], **values} for word in sorted(words)},
            "additionalProperties": False,
        }
    else:
        listed: dict[str, Any] = {"type": "string", "enum": sorted(words)}
        if any(words.values()):
            # no keyword of the standard: editors show these beside the words that they offer
            listed["enumDescriptions"] = [words[word] for word in sorted(words)]
        open_ = schema.get("anyOf", [dict(schema)])
        schema.clear()
        schema |= listed if strict else {"anyOf": [listed, *open_]}


def _plain(part: Any, definitions: Mapping[str, Any]) -> Any:
    """`part` with every reference written out, since models are no deeper than files, and bounds under their names."""
    if isinstance(part, list):
        return [_plain(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        named = definitions[part["$ref"].rpartition("/")[2]]
        return _plain({**{key: value for key, value in part.items() if key != "$ref"}, **named}, definitions)
    # pydantic leaves the bounds of a number that a validator of ours made under its own names
    bounds = {name: part[key] for key, name in _BOUNDS.items() if key in part}
    named = {key: value for key, value in part.items() if key not in _BOUNDS} | bounds
    return {
        key: _plain(value, definitions) for key, value in named.items() if key != "title" or isinstance(value, dict)
    }


_BOUNDS = {"ge": "minimum", "le": "maximum"}
