"""How the schema types text: every scalar of a policy file arrives as text and leaves typed, or is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import PydanticCustomError

from broker.ed25519_keys import public_key_of
from broker.errors import SluisError
from broker.parties import OIN_PATTERN, Oin
from broker.policy.ristretto_points import is_element
from broker.policy.strict_yaml import PlainScalar

MAX_TEXT = 2_000
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}")
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,40}")
_NOTICE = re.compile(r"[0-9a-f]{16}")
_EPOCH = re.compile(r"20[0-9]{2}(?:Q[1-4]|-(?:0[1-9]|1[0-2]))?(?:\.(?:[2-9]|[1-9][0-9]))?")
_KEY_TEXT = re.compile(r"[0-9a-f]{64}")
_NULLS = frozenset({"null", "Null", "NULL", "~"})
"""What YAML 1.2 reads as nothing: an editor shows it so, and nobody means it as text."""
_WILDCARDS = frozenset({"*", "all", "any", "everyone", "anyone", "alle", "iedereen"})


def refuse_value(code: str, text: str, suggestion: str) -> NoReturn:
    """Refuses the value at hand with one of our codes; pydantic says where it stood."""
    raise PydanticCustomError(code, "{text}", {"text": text, "suggestion": suggestion})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        refuse_value("NOT_TEXT", "must be text", "write words on this line, no list and no keys")
    if isinstance(value, PlainScalar) and value in _NULLS:
        refuse_value("NULL", "null stands where text is needed", "leave the key out, or quote the word")
    if not value.strip() or len(value) > MAX_TEXT:
        refuse_value("TEXT_LENGTH", f"must have 1 to {MAX_TEXT} characters", "write a sentence or a few")
    return str(value)


def _name(value: Any) -> str:
    text = _text(value)
    if text in _WILDCARDS or "*" in text:
        refuse_value("WILDCARD", f"'{text}' would cover what nobody listed", "list the names, or use a group")
    if not _NAME.fullmatch(text):
        shape = "a name has lower-case ASCII letters, digits and hyphens, and begins with a letter"
        refuse_value("NAME_SHAPE", shape, "write it so, such as nla-verzoek")
    return text


def whole(value: Any) -> int:
    """A whole number of at most 9 digits."""
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        shape = "must be a whole number of at most 9 digits, without leading zeros or separators"
        refuse_value("NOT_A_NUMBER", shape, "write only digits, such as 30")
    return int(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, PlainScalar) or value not in ("true", "false"):
        shape = "must be true or false, in lower case and without quotes"
        refuse_value("NOT_TRUE_OR_FALSE", shape, "write true, or leave the key out")
    return value == "true"


def _day(value: Any) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    return refuse_value("NOT_A_DAY", "must be a day from 2000 to 2099", "write it as 2026-12-31")


def moment(value: Any) -> datetime:
    """A moment in UTC, written as 2026-06-01T10:00:00Z."""
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    return refuse_value("NOT_A_TIME", "must be a time in UTC that exists", "write it as 2026-06-01T10:00:00Z")


def finding_code(value: Any) -> str:
    """The code of a finding, such as NO_CASE_NUMBER."""
    text = _text(value)
    if not _CODE.fullmatch(text):
        refuse_value("CODE_SHAPE", "must be the code of a finding", "copy what `sluis policy check` prints in capitals")
    return text


def notice_id(value: Any) -> str:
    """The id of a suspension notice: 16 lower-case hex digits."""
    text = _text(value)
    if not _NOTICE.fullmatch(text):
        shape = "must be the 16 hex digits of a suspension notice"
        refuse_value("NOTICE_SHAPE", shape, "copy the id that `sluis policy suspend` printed")
    return text


def key_text(value: Any) -> str:
    """An Ed25519 public key: 64 lower-case hex digits."""
    text = _text(value)
    if not _KEY_TEXT.fullmatch(text):
        shape = "must be 64 lower-case hex digits"
        refuse_value("KEY_SHAPE_ED25519", shape, "copy the public key that `sluis policy new-key` printed")
    try:
        public_key_of(bytes.fromhex(text))
    except ValueError as error:
        refuse_value("KEY_SHAPE_ED25519", f"is {error}", "make a key with `sluis policy new-key`")
    return text


def service_key_text(value: Any) -> str:
    """The public key of a key service: 64 lower-case hex digits of a ristretto255 element (RFC 9496)."""
    text = _text(value)
    if not _KEY_TEXT.fullmatch(text):
        shape = "must be 64 lower-case hex digits"
        refuse_value("SERVICE_KEY_SHAPE", shape, "copy the line that `sluis key-service key make` printed")
    if not is_element(bytes.fromhex(text)):
        what = "is no public key: not the one encoding of a ristretto255 element, or that of none"
        refuse_value("SERVICE_KEY_SHAPE", what, "copy the line that `sluis key-service key make` printed")
    return text


def epoch_text(value: Any) -> str:
    """The name of a key epoch: 2026, 2026Q4 or 2026-11; with `.2` behind it that of its second key."""
    text = _text(value)
    if not _EPOCH.fullmatch(text):
        refuse_value("EPOCH_NAME", f"'{text}' names no epoch", "write 2026-11, 2026Q4 or 2026, as `epoch:` says")
    return text


def _oin(value: Any) -> str:
    text = _text(value)
    try:
        Oin(text)
    except SluisError as error:
        refuse_value("OIN_INVALID", error.message, "copy it from the OIN register, in quotes")
    return text


Text = Annotated[str, BeforeValidator(_text)]
"""1 to 2,000 characters."""
Name = Annotated[str, BeforeValidator(_name)]
"""A word of the vocabulary: lower-case ASCII letters, digits and hyphens, at most 63."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Day = Annotated[date, BeforeValidator(_day)]
"""A calendar day in Europe/Amsterdam."""
OinText = Annotated[str, BeforeValidator(_oin)]
EpochText = Annotated[str, BeforeValidator(epoch_text)]
ServiceKey = Annotated[str, BeforeValidator(service_key_text)]
Number = Annotated[int, BeforeValidator(whole)]
"""0 or more."""
Positive = Annotated[int, BeforeValidator(whole), Field(ge=1)]
Days = Annotated[int, BeforeValidator(whole), Field(ge=1, le=36_525)]

_ANY_SCALAR = ["string", "number", "boolean"]


def _shape(types: str | list[str], pattern: re.Pattern[str], otherwise: str) -> dict[str, Any]:
    # `patternErrorMessage` is no keyword of the standard: editors show it in place of the pattern
    return {"type": types, "pattern": f"^({pattern.pattern})$", "patternErrorMessage": otherwise}


JSON_SHAPES: Mapping[Callable[[Any], Any], Mapping[str, Any]] = MappingProxyType(
    {
        _text: {"type": _ANY_SCALAR, "pattern": r"\S", "maxLength": MAX_TEXT},
        _name: _shape("string", _NAME, "a name has lower-case letters, digits and hyphens, and begins with a letter"),
        whole: _shape(["integer", "string"], _WHOLE, "must be a whole number of at most 9 digits"),
        _day: _shape("string", _DAY, "must be a day, written as 2026-12-31") | {"format": "date"},
        moment: _shape("string", _MOMENT, "must be a time in UTC, written as 2026-06-01T10:00:00Z"),
        _oin: _shape(["string", "integer"], re.compile(OIN_PATTERN), "must be an OIN: 20 characters"),
        finding_code: _shape("string", _CODE, "must be the code of a finding, such as NO_CASE_NUMBER"),
        notice_id: _shape(["string", "number"], _NOTICE, "must be the 16 hex digits of a suspension notice"),
        key_text: _shape(["string", "number"], _KEY_TEXT, "must be a public key: 64 lower-case hex digits"),
        service_key_text: _shape(["string", "number"], _KEY_TEXT, "must be a public key: 64 lower-case hex digits"),
        epoch_text: _shape("string", _EPOCH, "must be an epoch, such as 2026-11, 2026Q4 or 2026"),
    }
)
"""What each of these accepts, as JSON Schema of what an editor sees there: it types scalars before the schema does, so
that digits without quotes may come as numbers."""


class Closed(BaseModel):
    """A frozen part of a policy file that accepts no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)
    added: ClassVar[frozenset[str]] = frozenset()
    """Keys that came after version 1 of the meaning. They stand in it only where a file gives them a value, so that the
    digest of a set from before does not change."""

    @model_serializer(mode="wrap")
    def _meaning(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole: dict[str, Any] = handler(self)
        for key in self.added:
            if not whole[key]:
                del whole[key]
        return whole


class Wording(Closed):
    """The same said in Dutch and in English."""

    nl: Text
    en: Text
