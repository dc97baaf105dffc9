"""`sluis audit unusual`: what stands out in the use of the broker, for each responsible party."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.audit.bundle_lines import read_lines
from broker.audit.unusual import MAX_ITEMS, Item, Unusual, unusual
from broker.audit.unusual_rows import RowThresholds, row_words
from broker.audit.unusual_rules import WORDS
from broker.audit.unusual_searches import SEARCH_WORDS
from broker.cli.audit.columns import one_line, table
from broker.cli.audit.opening import OpeningFiles, OpeningKey, read_openings
from broker.cli.audit.root import AsJson, BundleFile, app, clear_progress, on_terminal, read_trust, verify_first
from broker.cli.audit.showing import days_of

_NO_ROWS = (
    "Not looked for: the same subjects asked about again under fresh salts, and questions inside larger ones. They "
    "need the rows: give a vault export as --openings, with --key."
)
_ROWS = "Rows of {0.opened:,} exchanges were held against each other; of {0.closed:,} they could not be opened."
_LET_GO = "Not held against all later ones, for there are too many subjects: {0.let_go:,}."


@app.command("unusual")
def unusual_command(
    bundle: BundleFile,
    *,
    party: Annotated[str, typer.Option("--party", help="Only what this party asked.")] = "",
    first: Annotated[str | None, typer.Option("--from", help="First day, in Europe/Amsterdam.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Last day.")] = None,
    unexplained: Annotated[
        bool, typer.Option("--unexplained", help="Only what its party has not explained in the log.")
    ] = False,
    openings: OpeningFiles = None,
    key: OpeningKey = None,
    row_days: Annotated[
        int, typer.Option("--row-days", min=1, max=366, help="Days back that rows of questions are compared.")
    ] = RowThresholds.days,
    nested_from: Annotated[
        int, typer.Option("--nested-from", min=1, help="Subjects from which a question inside another is listed.")
    ] = RowThresholds.least,
    trust: Annotated[
        Path | None, typer.Option("--trust", help="Verify the bundle first.", exists=True, dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what stands out in what parties asked, each with its threshold in words. Not a verdict.

    Usual is each party's own past under a purpose: the whole log is read, also what lies before --from. Shares of hits
    are looked at only where --openings tells them; which subjects were asked about only where a vault export does.

    The responsible party explains an item with `sluis-client unusual explain`, from what --json prints here; its word,
    signed, stands in the log. An item of the day on which the log ends may grow, and then has another id.

    Example: sluis audit unusual log.bundle --trust trust.yaml --from 2026-11-01 --until 2026-11-30
    """
    start, end = days_of(first, until)
    thresholds = RowThresholds(row_days, nested_from)
    words = {**WORDS, **SEARCH_WORDS, **row_words(thresholds)}
    opened = read_openings(openings, key, with_rows=True)
    if trust is not None:
        verify_first(bundle, read_trust(trust), as_json)
    tell = None if as_json else on_terminal("reading: {} of {} entries")
    with bundle.open("rb") as stream:
        lines = read_lines(stream)
        found = unusual(lines, openings=opened, first=start, last=end, thresholds=thresholds, progress=tell)
    clear_progress()
    if as_json:
        print(json.dumps(_as_object(found, party, words, verified=trust is not None, unexplained=unexplained)))
        return
    print("verified with the trust file" if trust is not None else "NOT verified: give --trust")
    chosen = _chosen(found, party, unexplained=unexplained)
    shown = {name: [item for item in chosen if item.party == name] for name in dict.fromkeys(i.party for i in chosen)}
    for name, items in shown.items():
        _print_party(name, items, found, words)
    _print_searches(found, party)
    print()
    if not opened.results:
        print("Shares of hits were not looked at: the log does not tell them; give --openings.")
    looked = found.looked
    told = [_ROWS.format(looked), *([_LET_GO.format(looked)] if looked.let_go else [])] if looked.opened else [_NO_ROWS]
    print("\n".join(textwrap.wrap(" ".join(told), 100)))
    if sum(found.counts.values()) > MAX_ITEMS:
        print(f"Only the first {MAX_ITEMS:,} items are listed; choose a shorter period.")
    explained = sum(item.item in found.explained for item in chosen)
    print(
        f"{len(chosen):,} unusual items of {len(shown):,} parties, {explained:,} explained in the log; each may be in "
        "order, and is for that party to explain"
    )


def _chosen(found: Unusual, party: str, *, unexplained: bool) -> list[Item]:
    """The items to show, by party and place in the log."""
    return [
        item
        for items in found.by_party().values()
        for item in items
        if party in {"", item.party} and not (unexplained and item.item in found.explained)
    ]


def _print_party(name: str, items: list[Item], found: Unusual, words: Mapping[str, str]) -> None:
    print(f"\n{one_line(name)}: {len(items):,}")
    for kind, said in words.items():
        mine = [item for item in items if item.seen.kind == kind]
        if not mine:
            continue
        print(f"  {kind}")
        for line in textwrap.wrap(said, 96):
            print(f"    {line}")
        for item in mine:
            print(one_line(f"    {item.item}  {_told(item)}"))
            if item.item in found.explained:
                word, index = found.explained[item.item]
                print(one_line(f"      explained as {word}, entry {index}"))


def _print_searches(found: Unusual, party: str) -> None:
    """How often who searched for a person: to be held against the requests for access that it received."""
    rows = [
        (one_line(name), one_line(purpose), sum(days.values()), len(days), max(days.values()))
        for (name, purpose), days in sorted(found.searches.items())
        if party in {"", name}
    ]
    if rows:
        print("\nSearches for a person, each of one epoch; compare with the requests that the party received")
        for line in table(("party", "purpose", "searches", "days", "most a day"), rows):
            print(f"  {line}")


def _told(item: Item) -> str:
    seen = item.seen
    told = "".join(f", {name.replace('_', ' ')} {number:,g}" for name, number in seen.numbers)
    behalf = f" for {item.principal}" if item.principal else ""
    entries = f"entry {seen.first}" if seen.first == seen.last else f"entries {seen.first} to {seen.last}"
    one = "search" if seen.kind in SEARCH_WORDS else "exchange"
    what = one if seen.exchanges == 1 else _counted(item)
    return f"{seen.day}  {item.purpose}{behalf}: {seen.exchanges:,} {what}{told}; {entries}"


def _counted(item: Item) -> str:
    """What an item counts."""
    return "searches" if item.seen.kind in SEARCH_WORDS else "exchanges"


def _as_object(
    found: Unusual, party: str, words: Mapping[str, str], *, verified: bool, unexplained: bool
) -> dict[str, Any]:
    return {
        "verified": verified,
        "origin": found.origin,
        "thresholds": words,
        "rows": asdict(found.looked),
        "subject_searches": [
            {"party": name, "purpose": purpose, "day": day.isoformat(), "searches": count}
            for (name, purpose), days in sorted(found.searches.items())
            if party in {"", name}
            for day, count in sorted(days.items())
        ],
        "counts": [
            {"party": name, "kind": kind, "items": count}
            for (name, kind), count in sorted(found.counts.items())
            if party in {"", name}
        ],
        "items": [
            {
                "item": item.item,
                "party": item.party,
                "principal": item.principal,
                "purpose": item.purpose,
                "kind": item.seen.kind,
                "day": item.seen.day.isoformat(),
                "first": item.seen.first,
                "last": item.seen.last,
                _counted(item): item.seen.exchanges,
                **dict(item.seen.numbers),
                "explained": _word(found, item),
            }
            for item in _chosen(found, party, unexplained=unexplained)
        ],
    }


def _word(found: Unusual, item: Item) -> dict[str, Any] | None:
    if item.item not in found.explained:
        return None
    word, index = found.explained[item.item]
    return {"explanation": word, "index": index}
