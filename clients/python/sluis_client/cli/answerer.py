"""`sluis-client pseudonymise | publish | registers | withdraw`: for those who hold a register."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis_client.caution import keep_apart
from sluis_client.cli.keys import PurposeOption
from sluis_client.cli.session import (
    ColumnsOption,
    EpochOption,
    JsonOption,
    ProfileOption,
    columned,
    day,
    emit,
    note,
    pairs,
    participant,
    problems_json,
    progress,
    tell_problems,
    the_profile,
)
from sluis_client.epochs import generation_of
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import EpochKey, Keystore
from sluis_client.private_files import write_private
from sluis_client.statements import utc

if TYPE_CHECKING:
    from sluis_client.normalised import NormalisedTable
    from sluis_client.policy import PurposeView
    from sluis_client.pseudonymise import Column, Maker
    from sluis_client.publish import Prepared, Published

FileArgument = Annotated[Path, typer.Argument(help="CSV file with a header line.")]
SchemeOption = Annotated[str, typer.Option("--scheme", help="Identifier scheme, such as bag or kvk.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Refuse the file if any row cannot be used.")]
ZerosOption = Annotated[
    bool, typer.Option("--restore-zeros", help="Put back leading zeros, in a file known to have lost them.")
]
DelimiterOption = Annotated[str | None, typer.Option("--in-delimiter", help="Delimiter of FILE; found by itself.")]
EncodingOption = Annotated[str | None, typer.Option("--encoding", help="Encoding of FILE; found by itself.")]


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("pseudonymise")(pseudonymise)
    app.command("publish")(publish)
    registers = typer.Typer(help="The agency's own registers.", no_args_is_help=True, rich_markup_mode=None)
    registers.command("list")(registers_list)
    app.add_typer(registers, name="registers")
    app.command("withdraw")(withdraw)


def pseudonymise(
    file: FileArgument,
    *,
    purpose: PurposeOption,
    scheme: SchemeOption,
    out: Annotated[Path, typer.Option("--out", help="CSV file to write: row and pseudonyms.")],
    epoch: EpochOption = "",
    columns: ColumnsOption = None,
    strict: StrictOption = False,
    restore_zeros: ZerosOption = False,
    in_delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    processes: Annotated[
        int, typer.Option("--processes", min=1, max=64, help="Worker processes; more pay from 100,000 rows on.")
    ] = 1,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pseudonymise a file here, with a key fetched before; reports unusable rows.

    Without any connection in mode keyed. In mode oblivious the key services help with what they did not before.

    Pseudonyms of persons are personal data: keep the file as you keep the identifiers.

    \b
    Example: sluis-client pseudonymise locations.csv --purpose snf-locatie --scheme bag --out pseudonyms.csv
    """
    from sluis_client.answer_file import csv_bytes
    from sluis_client.making import context_of_kept, maker_of_kept
    from sluis_client.party_keys import keystore_of
    from sluis_client.pseudonymise import MODE_KEYED, PSEUDONYM_BYTES, Pseudonymiser, PseudonymisingPool
    from sluis_client.register_table import pseudonym_columns, scheme_named
    from sluis_client.tables import normalise_table, read_table

    keep_apart([out], file)
    read = the_profile(profile)
    key = _stored_key(keystore_of(read), purpose, epoch)
    known = scheme_named(scheme)
    table = read_table(file, delimiter=in_delimiter, encoding=encoding)
    normal = normalise_table(
        table, known, columns=pairs(columns, "--columns"), strict=strict, restore_zeros=restore_zeros
    )
    tell_problems(normal.problems, len(table.rows), normal.duplicates)
    context = context_of_kept(key, read.origin, read.environment)
    if context.mode != MODE_KEYED and processes > 1:
        raise typer.BadParameter("works in mode keyed; here key services do the work", param_hint="--processes")
    if processes > 1:
        with PseudonymisingPool(key.key, context, known.scheme_id, processes) as pool:
            columns_made = pseudonym_columns(pool, known, normal.keys, normal.fast_block)
    elif context.mode == MODE_KEYED:
        maker: Maker = Pseudonymiser(key.key, context, known.scheme_id)
        columns_made = pseudonym_columns(maker, known, normal.keys, normal.fast_block)
    else:
        with participant(profile) as me, progress() as show:
            maker = maker_of_kept(me, key, known.scheme_id, progress=show)
            columns_made = pseudonym_columns(maker, known, normal.keys, normal.fast_block)
    write_private(out, csv_bytes(_pseudonym_lines(normal, columns_made, PSEUDONYM_BYTES), ","))
    value = {
        "out": str(out),
        "key_id": key.key_id,
        "epoch": key.epoch,
        "subjects": len(normal.keys),
        "duplicates": normal.duplicates,
        "problems": problems_json(normal.problems),
    }
    emit(value, [f"{len(normal.keys)} subjects pseudonymised under key {key.key_id}; wrote {out}"], as_json)


def _pseudonym_lines(normal: NormalisedTable, columns: Sequence[Column], width: int) -> Iterator[list[str]]:
    """A head, and for each row its number and its pseudonyms in hex; empty where a row lacks the match key."""
    yield ["row", *(f"pseudonym {number}" for number in range(1, len(columns) + 1))]
    for index, row in enumerate(normal.row_numbers):
        cut = slice(index * width, (index + 1) * width)
        has = [fields is not None for fields in normal.keys[index]]
        parts = zip((column.pseudonyms[cut] for column in columns), has, strict=True)
        yield [str(row), *(part.hex() if there else "" for part, there in parts)]


def _stored_key(keystore: Keystore, purpose: str, epoch: str) -> EpochKey:
    now = datetime.now(UTC)
    keys = [key for key in keystore.epoch_keys() if key.purpose == purpose]
    fitting = [key for key in keys if key.epoch == epoch] if epoch else [key for key in keys if _is_open(key, now)]
    if fitting:
        return max(fitting, key=lambda key: generation_of(key.epoch))
    text = f"no key of {purpose} for that epoch is kept here; run `sluis-client keys fetch --purpose {purpose}`"
    raise ClientError("EPOCH_UNKNOWN", text, Exit.KEY_TROUBLE)


def _is_open(key: EpochKey, now: datetime) -> bool:
    return key.published and key.valid_from <= now < key.valid_until


def publish(
    file: FileArgument,
    *,
    purpose: PurposeOption,
    scheme: SchemeOption,
    as_of: Annotated[str, typer.Option("--as-of", help="The day at which the data stood, such as 2026-11-20.")],
    coverage: Annotated[str, typer.Option("--coverage", help="What the register covers, in words for askers.")],
    epoch: EpochOption = "",
    columns: ColumnsOption = None,
    attributes: Annotated[
        list[str] | None, typer.Option("--map", help="attribute=header, where the header is named otherwise.")
    ] = None,
    codes: Annotated[
        list[str] | None, typer.Option("--code", help="word=code, where the file has another word for a code.")
    ] = None,
    expires: Annotated[
        str, typer.Option("--expires", help="The last day on which it answers; left out: the end of the epoch.")
    ] = "",
    rules: Annotated[
        list[str] | None, typer.Option("--rules", help="Row rule that you applied to the file: name=value.")
    ] = None,
    hits_only: Annotated[
        bool, typer.Option("--hits-only", help="Publish without any of the purpose's attributes, on purpose.")
    ] = False,
    strict: StrictOption = False,
    restore_zeros: ZerosOption = False,
    in_delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish or replace a register: normalise, pseudonymise, seal and upload a file, then put it in force at once.

    Cut off half-way, the same command goes on where it stopped. Until the end the earlier register answers.

    Around the turn of an epoch it publishes under both: once the next key has been made, and while the old one holds.

    \b
    Example: sluis-client publish locations.csv --purpose snf-locatie --scheme bag --as-of 2026-11-20 \\
      --coverage "all certified locations" --map certificate-status=Status --map beds="Aantal bedden"
    """
    from sluis_client import publish as publishing
    from sluis_client.tables import read_table

    table = read_table(file, delimiter=in_delimiter, encoding=encoding)
    with participant(profile) as me:
        view = me.purpose(purpose)
        plan = publishing.Plan(
            purpose=purpose,
            scheme=scheme,
            as_of=day(as_of, "--as-of"),
            coverage=coverage,
            epoch=epoch,
            columns=pairs(columns, "--columns"),
            attributes=pairs(attributes, "--map"),
            codes=pairs(codes, "--code"),
            expires_at=day(expires, "--expires", inclusive_end=True) if expires else None,
            rules=rules_of(view, pairs(rules, "--rules")),
            strict=strict,
            restore_zeros=restore_zeros,
            hits_only=hits_only,
        )
        prepared = publishing.prepare(view, plan, table)
        tell_problems(prepared.problems, len(table.rows), prepared.duplicates)
        if prepared.left_out and not hits_only:
            note(f"not published, no such column: {', '.join(prepared.left_out)} (name one with --map)")
        with progress() as show:
            done = publishing.publish_open(me, plan, prepared, progress=show)
    _tell_published(done, prepared, as_json)


def _tell_published(every: tuple[Published, ...], prepared: Prepared, as_json: bool) -> None:
    done, *beside = every
    register = done.register
    if done.resumed_rows:
        note(f"{done.resumed_rows} rows had been uploaded before")
    published = [attribute.name for attribute in prepared.attributes]
    value = {
        "register": register.name,
        "version": register.version,
        "rows": register.rows,
        "attributes": published,
        "left_out": list(prepared.left_out),
        "expires_at": utc(register.expires_at),
        "index": done.receipt.index,
        "beside": [{"register": one.register.name, "expires_at": utc(one.register.expires_at)} for one in beside],
        "duplicates": prepared.duplicates,
        "problems": problems_json(prepared.problems),
    }
    lines = [
        f"{register.name} version {register.version} is in force until {utc(register.expires_at)}",
        f"{register.rows} rows, attributes: {', '.join(published) or 'none'}",
        f"logged as entry {done.receipt.index}; its receipt is verified",
        *(f"also {one.register.name}, until {utc(one.register.expires_at)}" for one in beside),
    ]
    emit(value, lines, as_json)


def rules_of(view: PurposeView, given: dict[str, str]) -> dict[str, bool | int | str]:
    """Rules with the types that the policy gives them."""
    typed: dict[str, bool | int | str] = {}
    for name, text in given.items():
        like = view.rules.get(name)
        if isinstance(like, bool) and text in ("true", "false"):
            typed[name] = text == "true"
        elif isinstance(like, int) and not isinstance(like, bool) and text.isdecimal():
            typed[name] = int(text)
        else:
            typed[name] = text
    return typed


def registers_list(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """List this agency's registers.

    \b
    Example: sluis-client registers list
    """
    with participant(profile) as me:
        found = me.transport.registers()
    rows = [("register", "version", "state", "rows", "expires")]
    rows += [(one.name, str(one.version), one.state.lower(), str(one.rows), utc(one.expires_at)) for one in found]
    value = {
        "registers": [
            {
                "name": one.name,
                "version": one.version,
                "state": one.state,
                "rows": one.rows,
                "published_at": utc(one.published_at),
                "expires_at": utc(one.expires_at),
            }
            for one in found
        ]
    }
    emit(value, columned(rows) if found else ["no registers; publish one with `sluis-client publish`"], as_json)


def withdraw(
    register: Annotated[str, typer.Argument(help="Its name: answerer/purpose/epoch/scheme.")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a register out of service at once. Askers then get "no register", never "no hit".

    \b
    Example: sluis-client withdraw snf/snf-locatie/2026Q4/bag
    """
    with participant(profile) as me:
        line = {"what": "withdraw", "at": utc(me.now()), "name": register}
        me.journal.append([line], now=me.now(), log_size=me.log_size_kept())
        receipt = me.transport.withdraw(str(uuid.uuid4()), register)
        expected = {"action": "withdrawn", "party": me.profile.party, "register": register}
        body = me.own_entry(receipt, "register", expected)
    value = {"register": register, "version": body["version"], "index": receipt.index}
    emit(value, [f"{register} version {body['version']} is withdrawn; logged as entry {receipt.index}"], as_json)
