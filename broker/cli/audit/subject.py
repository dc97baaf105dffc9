"""`sluis audit subject`: what a log and its vault say of one person, offline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.audit.bundle_lines import read_lines
from broker.audit.findings import Code as Finding
from broker.audit.findings import Fault, Report
from broker.audit.person_file import MAX_BYTES, Person, PersonFileError, read_person
from broker.audit.subject import Period, Search, SubjectFound, Unsearched
from broker.audit.subject_agreement import MAX_BYTES as MAX_ANSWER_BYTES
from broker.audit.subject_agreement import WORDS, Agreement, AnswerError, compare
from broker.audit.vault_export import OpenedSlot
from broker.audit.verify import verify
from broker.cli.audit.columns import one_line
from broker.cli.audit.opening import seed_of, vault_of
from broker.cli.audit.root import AsJson, BundleFile, app, clear_progress, on_terminal, read_trust
from broker.cli.audit.verifying import print_findings, report_object
from broker.errors import Code, SluisError
from broker.policy.legal_days import local_day

_SPOILT = frozenset({Fault.FORMAT, Fault.TREE, Fault.ORIGIN, Fault.EXPECTED, Fault.VAULT})
"""With one of these, what the log or the vault says of a person is not to be relied on."""
_WHY = {
    "erased": "their rows were erased",
    "never-held": "denied; their rows were not kept",
    "no-pseudonyms": "the file holds no pseudonyms of this purpose and epoch",
    "other-key": "the file's pseudonyms were made with another key than the log's",
    "missing": "the vault lacks their rows, and no entry says why",
}


@app.command("subject")
def subject(
    bundle: BundleFile,
    *,
    trust: Annotated[
        Path, typer.Option("--trust", help="The trust file, got another way.", exists=True, dir_okay=False)
    ],
    vault: Annotated[
        Path, typer.Option("--vault", help="The vault export that came with the bundle.", exists=True, dir_okay=False)
    ],
    key: Annotated[
        Path,
        typer.Option("--key", help="Your key, to which vault and person are encrypted.", exists=True, dir_okay=False),
    ],
    person: Annotated[
        Path,
        typer.Option("--person", help="What `sluis-client subject --auditor-key` made.", exists=True, dir_okay=False),
    ],
    answer: Annotated[
        Path | None,
        typer.Option(
            "--answer", help="The agency's own answer, to hold against what is found.", exists=True, dir_okay=False
        ),
    ] = None,
    party: Annotated[str, typer.Option("--party", help="Only exchanges in which this party took part.")] = "",
    as_json: AsJson = False,
) -> None:
    """List every exchange in which a person was asked about, period by period, from a bundle and its vault export.

    The bundle is verified first, with the vault. The agency that knows the person gives the pseudonyms, encrypted to
    you and signed; no identifier is needed here. Said too: what can no longer be searched, and why. With --answer the
    agency's own answer is compared, which the broker searched for. Exit code 13: it differs.

    What --json prints is a report that `sluis audit finding sign` signs.

    Example: sluis audit subject log.bundle --trust trust.yaml --vault log.vault --key auditor.key --person person.json
    """
    told = _bytes(answer, MAX_ANSWER_BYTES) if answer is not None else None
    report = _verified(bundle, trust, vault, key, told, as_json=as_json)
    try:
        sought = read_person(_bytes(person, MAX_BYTES), seed_of(key))
        search = Search(sought, party)
        found = search.run(lambda: _lines(bundle), lambda: _slots(vault, key))
        agreement = None if told is None else compare(told, sought, search, found)
    except PersonFileError as error:
        raise SluisError(Code.STATEMENT_INVALID, f"{person} cannot be used: {error}") from None
    except AnswerError as error:
        raise SluisError(Code.STATEMENT_INVALID, f"{answer} cannot be compared: {error}") from None
    differs = agreement is not None and bool(agreement.differences)
    if as_json:
        shown = _as_object(found, sought, party, agreement)
        print(json.dumps({**report_object(report), "subject": shown}, ensure_ascii=False))
    else:
        for line in _text(found, report.size, sought, party, agreement):
            print(one_line(line))
        print_findings(report)
        print(report.summary)
    raise typer.Exit(report.exit_code or (int(Fault.EXPECTED) if differs else 0))


def _verified(bundle: Path, trust: Path, vault: Path, key: Path, told: bytes | None, *, as_json: bool) -> Report:
    """The report of the verification; ends the command where it leaves nothing to rely on."""
    tell = None if as_json else on_terminal("verifying: {:,} of {:,} entries")
    with bundle.open("rb") as stream, vault.open("rb") as sealed:
        opened = vault_of(sealed, key)
        report = verify(read_lines(stream), read_trust(trust), vault=opened, expect=told, progress=tell)
    clear_progress()
    if not _SPOILT.isdisjoint(Finding[name].fault for name in report.counts):
        if as_json:
            print(json.dumps(report_object(report), ensure_ascii=False))
        else:
            print_findings(report)
        typer.echo(f"{report.summary}; went no further", err=True)
        raise typer.Exit(report.exit_code)
    return report


def _lines(bundle: Path) -> Iterator[bytes]:
    with bundle.open("rb") as stream:
        yield from read_lines(stream)


def _slots(vault: Path, key: Path) -> Iterator[OpenedSlot]:
    with vault.open("rb") as stream:
        yield from vault_of(stream, key).slots


def _bytes(path: Path, limit: int) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise SluisError(Code.STATEMENT_INVALID, f"{path}: larger than {limit >> 20} MiB; name another file")
    return data


def _text(found: SubjectFound, size: int, person: Person, party: str, agreement: Agreement | None) -> Iterator[str]:
    yield f"log          {found.origin}, {size} entries"
    yield f"person       named by {person.party} on {person.made_at}, by {person.scheme}"
    yield f"searched in  {f'exchanges of {party}' if party else 'all exchanges of the log'}"
    for period in found.periods:
        yield ""
        days = [local_day(datetime.fromisoformat(at)) for at in period.valid or ()]
        until = f", {days[0]} until {days[1]}" if days else ""
        yield f"{period.purpose}, key epoch {period.epoch}{until}"
        yield f"  questions searched: {period.searched:,}, the person in: {len(period.exchanges):,}"
        for one in period.exchanges:
            yield from _exchange(one)
        if period.of_other_schemes:
            yield f"  of those searched, {period.of_other_schemes:,} identify by another scheme than {person.scheme}"
        for why, closed in sorted(period.unsearched.items()):
            yield f"  not searched: {closed.questions:,} from {closed.first} to {closed.last}; {_WHY[why]}{_by(closed)}"
    yield ""
    exchanges, searched, unsearched = _sums(found.periods)
    yield f"in all: found {exchanges:,}, questions searched {searched:,}, not searched {unsearched:,}"
    if agreement is not None:
        yield f"answer of {person.party}, {agreement.made_at}: agrees on {agreement.agreed:,}" + (
            "" if agreement.differences else ", and differs in nothing"
        )
        for other in agreement.differences:
            place = f"entry {other.index}" if other.index is not None else "the whole period"
            yield f"  {other.what}: {other.purpose} {other.epoch}, {place}: {WORDS[other.what]}"


def _exchange(one: dict[str, Any]) -> Iterator[str]:
    behalf = f" for {one['principal']}" if one["principal"] else ""
    yield (
        f"    {one['asked_at']}  {one['asker']}{behalf} asked {one['answerer']}, {one['subjects']:,} subjects; "
        f"{one['status']}; entry {one['ask_index']}"
    )
    if one["attributes"]:
        yield f"      given in the answer as a whole: {', '.join(one['attributes'])}"


def _by(closed: Unsearched) -> str:
    erasures = sorted(closed.erasures)
    more = f" and {len(erasures) - 5} more" if len(erasures) > 5 else ""
    return f" by entry {', '.join(map(str, erasures[:5]))}{more}" if erasures else ""


def _sums(periods: Iterable[Period]) -> tuple[int, int, int]:
    listed = list(periods)
    return (
        sum(len(one.exchanges) for one in listed),
        sum(one.searched for one in listed),
        sum(closed.questions for one in listed for closed in one.unsearched.values()),
    )


def _as_object(found: SubjectFound, person: Person, party: str, agreement: Agreement | None) -> dict[str, Any]:
    exchanges, searched, unsearched = _sums(found.periods)
    return {
        "party": person.party,
        "scheme": person.scheme,
        "made_at": person.made_at,
        "exchanges_of": party or None,
        "found": exchanges,
        "searched": searched,
        "not_searched": unsearched,
        "periods": [_period_object(period) for period in found.periods],
        "answer": None
        if agreement is None
        else {
            "made_at": agreement.made_at,
            "agreed": agreement.agreed,
            "differences": [
                {"what": one.what, "purpose": one.purpose, "epoch": one.epoch, "index": one.index}
                for one in agreement.differences
            ],
        },
    }


def _period_object(period: Period) -> dict[str, Any]:
    return {
        "purpose": period.purpose,
        "epoch": period.epoch,
        "from": period.valid and period.valid[0],
        "until": period.valid and period.valid[1],
        "searched": period.searched,
        "of_other_schemes": period.of_other_schemes,
        "not_searched": [
            {
                "why": why,
                "questions": closed.questions,
                "first": closed.first,
                "last": closed.last,
                "erasures": sorted(closed.erasures),
            }
            for why, closed in sorted(period.unsearched.items())
        ],
        "exchanges": period.exchanges,
    }
