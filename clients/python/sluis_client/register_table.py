"""What is to be published: an agency's table, its identifiers and attributes in the catalogue's spelling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sluis_client.attributes import Unfit, attribute_value
from sluis_client.errors import ClientError
from sluis_client.headers import named_column
from sluis_client.participant import Participant
from sluis_client.policy import AttributeView, PurposeView
from sluis_client.pseudonymise import Column, ColumnMaker, Fields
from sluis_client.schemes import SCHEMES, Reason, Scheme
from sluis_client.statement_shapes import COVERAGE_BYTES, is_line
from sluis_client.tables import NormalisedTable, Problem, Table, normalise_table, rows_refused

_LONG_NUMBER = re.compile(r"[0-9]{8}")


@dataclass(frozen=True)
class Plan:
    """What is to be published. `attributes`: catalogue name -> header, for columns that are named otherwise;
    `codes`: word in the file -> code of the catalogue, for words that are neither a code nor its title.

    `expires_at` None: the end of the epoch, after which nobody can ask anyway.
    """

    purpose: str
    scheme: str
    as_of: datetime
    coverage: str
    epoch: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    rules: Mapping[str, bool | int | str] = field(default_factory=dict)
    strict: bool = False
    restore_zeros: bool = False
    hits_only: bool = False
    """Publish without attributes although the purpose has some."""


@dataclass(frozen=True, repr=False)
class Prepared:
    """A table ready to be sealed. Holds identifiers: stays inside the agency."""

    view: PurposeView
    scheme: Scheme
    keys: Sequence[tuple[Fields | None, ...]]
    values: Sequence[tuple[str | None, ...]]
    attributes: tuple[AttributeView, ...]
    left_out: tuple[str, ...]
    """Attributes of the purpose for which the file has no column."""
    problems: tuple[Problem, ...]
    duplicates: int


def scheme_named(name: str) -> Scheme:
    """An identifier scheme. Raises SCHEME_UNKNOWN."""
    if name not in SCHEMES:
        raise ClientError("SCHEME_UNKNOWN", f"there is no identifier scheme {name}; there are {', '.join(SCHEMES)}")
    return SCHEMES[name]


def allowed_keys(view: PurposeView, scheme: Scheme) -> int:
    """How many match keys of `scheme`, from the strictest, may leave under this purpose (`weakest_match_key`).

    Raises:
        ClientError: SCHEME_UNKNOWN when the purpose does not identify by it, or its catalogue means another scheme.
    """
    allowed = view.match_keys(scheme.name)
    if view.keys_per_scheme[scheme.name] != scheme.match_keys:
        raise ClientError(
            "SCHEME_UNKNOWN",
            f"the catalogue gives {scheme.name} {view.keys_per_scheme[scheme.name]} match keys and this client makes "
            f"{scheme.match_keys}: upgrade the client, or let the catalogue name the scheme that is meant",
        )
    return allowed


def keys_used(me: Participant, purpose: str, scheme: Scheme) -> int:
    """As many match keys as questions of a purpose use; all of them where that cannot be told (it may have ended)."""
    try:
        return allowed_keys(me.purpose(purpose), scheme)
    except ClientError:
        return scheme.match_keys


def pseudonym_columns(
    pseudonymiser: ColumnMaker,
    scheme: Scheme,
    keys: Sequence[tuple[Fields | None, ...]],
    block: bytes | None,
    allowed: int | None = None,
) -> tuple[Column, ...]:
    """The pseudonym columns of a table, by the quick way where the scheme has one field of fixed width.

    `allowed`: how many match keys, from the strictest, are made (`allowed_keys`); None: all.
    """
    if scheme.width is not None:
        if block is None:
            block = "".join(fields[0] for (fields,) in keys if fields is not None).encode("ascii")
        return (pseudonymiser.column_of_block(block, scheme.width),)
    if allowed is None or allowed == scheme.match_keys:
        return pseudonymiser.columns(keys, scheme.match_keys)
    return pseudonymiser.columns([row[:allowed] for row in keys], allowed)


def prepare(view: PurposeView, plan: Plan, table: Table) -> Prepared:
    """Normalises identifiers and attributes. Rows that cannot be used are left out and reported, never their values.

    Raises:
        ClientError: SCHEME_UNKNOWN, ATTRIBUTE_UNKNOWN, CODE_UNKNOWN, RULES_MISSING, RULES_WRONG, COLUMN_*, USAGE for
            what no coverage can be, ROWS_REFUSED under `strict`, NOTHING_TO_PUBLISH, ATTRIBUTES_MISSING.
    """
    scheme = scheme_named(plan.scheme)
    limit, allowed = view.rows_per_pseudonym(plan.scheme), allowed_keys(view, scheme)
    _check_rules(view, plan.rules)
    _check_coverage(plan.coverage)
    headers, left_out = (
        ({}, tuple(sorted(view.attributes))) if plan.hits_only else _attribute_headers(view, plan, table)
    )
    if view.attributes and not headers and not plan.hits_only:
        raise ClientError(
            "ATTRIBUTES_MISSING",
            f"the file has a column for none of {', '.join(sorted(view.attributes))}: a register without them would "
            "replace one that has them; name columns with --map attribute=header, or say --hits-only",
        )
    attributes = _with_codes(tuple(view.attributes[name] for name in headers), plan.codes)
    normal = normalise_table(
        table,
        scheme,
        columns=plan.columns,
        strict=plan.strict,
        restore_zeros=plan.restore_zeros,
        carry=tuple(headers.values()),
        rows_per_pseudonym=limit,
    )
    kept, values, unfit = _values(normal, attributes, tuple(headers.values()))
    keys = normal.keys if len(kept) == len(normal.keys) else [normal.keys[index] for index in kept]
    if allowed < scheme.match_keys:
        loose = {place for place, row in enumerate(keys) if not any(row[:allowed])}
        unfit += [Problem(normal.row_numbers[kept[place]], "", Reason.KEYS_TOO_LOOSE) for place in sorted(loose)]
        # what no question may use is neither evaluated nor deposited
        barred = (None,) * (scheme.match_keys - allowed)
        keys = [(*row[:allowed], *barred) for place, row in enumerate(keys) if place not in loose]
        values = [cells for place, cells in enumerate(values) if place not in loose]
    problems = tuple(sorted([*normal.problems, *unfit], key=lambda problem: problem.row))
    if plan.strict and problems:
        raise rows_refused(problems)
    if not keys:
        text = f"none of the {len(table.rows)} rows can be used; to take a register out of service use `withdraw`"
        raise ClientError("NOTHING_TO_PUBLISH", text)
    return Prepared(view, scheme, keys, values, attributes, left_out, problems, normal.duplicates)


def _attribute_headers(view: PurposeView, plan: Plan, table: Table) -> tuple[dict[str, str], tuple[str, ...]]:
    for name in plan.attributes:
        if name not in view.attributes:
            known = ", ".join(view.attributes) or "none"
            raise ClientError("ATTRIBUTE_UNKNOWN", f"{view.name} has no attribute {name}; it has {known}")
    found: dict[str, str] = {}
    for name in sorted(view.attributes):
        if name in plan.attributes:
            header = plan.attributes[name]
            found[name] = table.header[named_column(table.header, name, header)]
            continue
        try:
            found[name] = table.header[named_column(table.header, name, name)]
        except ClientError:
            continue
    return found, tuple(name for name in sorted(view.attributes) if name not in found)


def _with_codes(attributes: tuple[AttributeView, ...], codes: Mapping[str, str]) -> tuple[AttributeView, ...]:
    """The attributes, reading the words of `codes` too where they have that code."""
    for code in codes.values():
        if not any(code in attribute.codes for attribute in attributes):
            known = ", ".join(code for attribute in attributes for code in attribute.codes) or "none"
            raise ClientError(
                "CODE_UNKNOWN", f"--code: {code} is no code of the published attributes; there are {known}"
            )
    return tuple(
        replace(
            attribute,
            code_titles={
                **attribute.code_titles,
                **{word.casefold(): code for word, code in codes.items() if code in attribute.codes},
            },
        )
        for attribute in attributes
    )


def _values(
    normal: NormalisedTable, attributes: Sequence[AttributeView], headers: Sequence[str]
) -> tuple[list[int], list[tuple[str | None, ...]], list[Problem]]:
    """Which subjects can be published, their values, and what is wrong with the others."""
    if not attributes:
        return list(range(len(normal.keys))), [()] * len(normal.keys), []
    kept: list[int] = []
    values: list[tuple[str | None, ...]] = []
    problems: list[Problem] = []
    named = tuple(zip(attributes, headers, strict=True))
    for index, row in enumerate(normal.rows):
        try:
            values.append(tuple(attribute_value(attribute, row[header]) for attribute, header in named))
            kept.append(index)
        except Unfit as unfit:
            header = next(header for attribute, header in named if attribute.name == unfit.attribute)
            problems.append(Problem(normal.row_numbers[index], header, unfit.reason))
    return kept, values, problems


def _check_rules(view: PurposeView, rules: Mapping[str, bool | int | str]) -> None:
    missing = [f"--rules {name}={_shown(value)}" for name, value in view.rules.items() if name not in rules]
    if missing:
        text = (
            f"{view.name} demands row rules that only you can apply; apply them to the file, then declare: "
            + " ".join(missing)
        )
        raise ClientError("RULES_MISSING", text)
    for name, value in rules.items():
        if name not in view.rules or view.rules[name] != value:
            asked = f"asks {_shown(view.rules[name])}" if name in view.rules else "has no such rule"
            raise ClientError("RULES_WRONG", f"--rules {name}: {view.name} {asked}")


def _check_coverage(text: str) -> None:
    """As the broker does once all rows are uploaded; askers see it in their terminals and files."""
    if not is_line(text, COVERAGE_BYTES) or _LONG_NUMBER.search(text):
        raise ClientError(
            "USAGE",
            f"--coverage says in words what the register covers, in one line of 1 to {COVERAGE_BYTES} bytes, without a "
            "number of eight digits or more",
        )


def _shown(value: bool | int | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
