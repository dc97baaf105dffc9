"""Looking at standing questions: what an answerer has published since is asked about, and what changed is told.

Each look that finds something newer is one exchange more: gates, budgets, log and receipts are those of any question.
Nothing is lost when a look is cut off: an unfinished question is repeated, and what was not told to the end is told
again, as "perhaps told before".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from sluis_client.answers import CheckedAnswer
from sluis_client.ask import Asked, Plan, ask, finish
from sluis_client.epochs import calendar_of, is_later_key, open_epochs
from sluis_client.errors import ClientError, Exit
from sluis_client.participant import Participant
from sluis_client.policy import PurposeView
from sluis_client.register_table import scheme_named
from sluis_client.statements import parse_utc, utc
from sluis_client.tables import NormalisedTable, Table
from sluis_client.transport import Progress, silent
from sluis_client.watch import (
    Change,
    Known,
    Source,
    Watch,
    compare,
    fingerprint_of,
    keep,
    new_name,
    states_of,
    status_words,
)

Rows = tuple[Table, NormalisedTable]
"""The file of a watch, as read now."""
_STANDING = "standing-question"
_SETTLED = frozenset({"EXPIRED", "NOT_COVERED"})
"""Statuses that another question about the same register version would meet again."""


@dataclass(frozen=True)
class Looked:
    """What a look came to. `asked`: the exchange that was put; `said`: what the user must know besides the notices."""

    watch: Watch
    asked: Asked | None
    said: tuple[str, ...]


def demand_may_stand(view: PurposeView, answerers: Sequence[str]) -> None:
    """Whether a question under this purpose can stand at these answerers. Raises WATCH_NOT_ALLOWED."""
    live = sorted(set(answerers) & set(view.answers_live))
    if view.standing_days is None:
        text = f"{view.name} lets no question stand; ask with `match`, or have its officers add `standing_questions`"
    elif live:
        text = f"{', '.join(live)} answers live and publishes no register that could be newer; ask with `match`"
    else:
        return
    raise ClientError("WATCH_NOT_ALLOWED", text, Exit.POLICY_DENIED)


def begin(
    me: Participant,
    plan: Plan,
    source: Source,
    rows: Rows,
    *,
    name: str,
    out: str,
    progress: Progress = silent,
) -> tuple[Watch | None, Asked]:
    """Puts the first question, and gives the watch over it, to be kept; None where the question was denied.

    The question stays unfinished until `finish` is called, so that it is repeated where the watch was not kept.

    Raises:
        ClientError: USAGE, WATCH_EXISTS, WATCH_NOT_ALLOWED; as `ask`.
    """
    named = new_name(me.keystore, name)
    demand_may_stand(me.purpose(plan.purpose), plan.answerers)
    _, normal = rows
    asked = ask(me, plan, normal, keep_open=True, progress=progress)
    if any(answer.status == "DENIED" for answer in asked.answers):
        return None, asked
    watch = Watch(named, plan, source, fingerprint_of(me.keystore, normal.keys), "", "", "", utc(me.now()), out)
    _first(me, watch, asked)
    _take(me, watch, asked, rows, tell=False)
    return watch, asked


def look(
    me: Participant,
    watch: Watch,
    read: Callable[[Source], Rows],
    progress: Progress = silent,
    accept: Callable[[Asked], None] = lambda _: None,
) -> Looked:
    """Asks those that have published something newer, and keeps what changed as `watch.untold`. Hold `watch_lock`.

    `accept` is called with an exchange before anything of it is kept: where it raises, the question is repeated at the
    next look, without new budget.

    Raises:
        ClientError: WATCH_ENDED, WATCH_NOT_ALLOWED, WATCH_FILE_CHANGED, WATCH_DENIED; as `ask`, the transport, the
            reading of a file and `accept`. The watch is as it was then.
    """
    view = me.purpose(watch.plan.purpose)
    demand_may_stand(view, watch.plan.answerers)
    ended = parse_utc(watch.since) + timedelta(days=(view.standing_days or 0) + 1)
    if me.now() >= ended:
        text = f"it has stood for the {view.standing_days} days that the policy allows; remove it, or add it again"
        raise ClientError("WATCH_ENDED", text, Exit.POLICY_DENIED)
    over = calendar_of(watch.epoch) not in open_epochs(view.epoch_kind, view.overlap_days, me.now())
    published = me.transport.epoch(view.name, watch.epoch)
    if over or is_later_key(published.newest, watch.epoch):
        why = f"key epoch {watch.epoch} has ended" if over else f"the key of {watch.epoch} was replaced"
        return _begin_anew(me, watch, _same_rows(me, watch, read), why, progress, accept)
    versions = {one: published.registers.get(_register(watch, one), 0) for one in watch.plan.answerers}
    said = _gone(watch, versions)
    newer = tuple(one for one in watch.plan.answerers if versions[one] > watch.known.setdefault(one, Known()).looked)
    if not newer:
        if said:
            keep(me.keystore, watch)
        return Looked(watch, None, said)
    rows = _same_rows(me, watch, read)
    plan = replace(watch.plan, answerers=newer, epoch=watch.epoch, standing=watch.first)
    try:
        asked = ask(me, plan, rows[1], keep_open=True, progress=progress)
    except ClientError as error:
        if error.code not in ("ANSWER_GONE", "EPOCH_RETIRED"):
            raise
        return _begin_anew(me, watch, rows, error.message, progress, accept)
    if any(_failing(answer) == {_STANDING} for answer in asked.answers):
        finish(me, asked)
        why = "the broker does not take it as the first question again"
        return _begin_anew(me, watch, rows, why, progress, accept)
    accept(asked)
    said += _take(me, watch, asked, rows)
    for answer in asked.answers:
        if answer.status in _SETTLED:
            watch.known[answer.answerer].looked = versions[answer.answerer]
    keep(me.keystore, watch)
    return Looked(watch, asked, said)


def told(me: Participant, looked: Looked) -> None:
    """Everything of a look was told: none of it is told again."""
    looked.watch.untold.clear()
    keep(me.keystore, looked.watch)
    if looked.asked is not None:
        finish(me, looked.asked)


def _begin_anew(
    me: Participant, watch: Watch, rows: Rows, why: str, progress: Progress, accept: Callable[[Asked], None]
) -> Looked:
    """A first question in the place of the one that stood; it is compared with what was known all the same."""
    plan = replace(watch.plan, epoch="", standing="")
    asked = ask(me, plan, rows[1], keep_open=True, progress=progress)
    denied = [answer for answer in asked.answers if answer.status == "DENIED"]
    if denied:
        finish(me, asked)
        reasons = "; ".join(check.reason for check in denied[0].decision.checks if not check.met)
        text = f"{why}, and a new first question is denied: {reasons}"
        raise ClientError("WATCH_DENIED", text, Exit.POLICY_DENIED)
    accept(asked)
    _first(me, watch, asked)
    said = (f"{why}: begun anew as exchange {asked.request_id}", *_take(me, watch, asked, rows))
    keep(me.keystore, watch)
    return Looked(watch, asked, said)


def _first(me: Participant, watch: Watch, asked: Asked) -> None:
    watch.first, watch.epoch = asked.request_id, asked.posed.context.epoch
    watch.asked_at = utc(me.now())
    for known in watch.known.values():
        known.looked = 0


def _take(me: Participant, watch: Watch, asked: Asked, rows: Rows, *, tell: bool = True) -> tuple[str, ...]:
    """Brings what is known up to an exchange's answers; what changed goes to `untold`."""
    scheme, said = scheme_named(watch.plan.scheme), []
    for answer in asked.answers:
        known = watch.known.setdefault(answer.answerer, Known())
        if answer.status != "ANSWERED":
            said += _not_answered(known, answer)
            continue
        version = answer.register.version if answer.register is not None else 0
        states = states_of(answer, scheme)
        fresh, changed = compare(me.keystore, known, states)
        lines = _lines(watch.source, rows) if changed else {}
        changes = [Change(*lines[place], place, before, states.get(str(place), ())) for place, before in changed]
        if changes and tell:
            notice = {
                "answerer": answer.answerer,
                "exchange": asked.request_id,
                "entry": answer.release_index,
                "from_version": known.version,
                "to_version": version,
                "as_of": utc(answer.register.as_of) if answer.register is not None else "",
                "changes": [asdict(one) for one in changes],
            }
            watch.untold.append(notice)
        watch.known[answer.answerer] = Known(version, version, "ANSWERED", fresh)
    return tuple(said)


def _not_answered(known: Known, answer: CheckedAnswer) -> list[str]:
    if answer.status == "DENIED":
        reasons = "; ".join(check.reason for check in answer.decision.checks if not check.met)
        return [f"{answer.answerer}: denied: {reasons}"]
    before, known.status = known.status, answer.status
    return (
        []
        if before == answer.status
        else [f'{answer.answerer}: {status_words(answer.status)} (this is not a "no hit")']
    )


def _gone(watch: Watch, versions: Mapping[str, int]) -> tuple[str, ...]:
    """Answerers whose register stands no more: told once."""
    said = []
    for name, version in versions.items():
        known = watch.known.setdefault(name, Known())
        if not version and known.version and known.status != "NO_REGISTER":
            known.status = "NO_REGISTER"
            said.append(f"{name}: its register was withdrawn, or has expired; what it answered before may hold no more")
    return tuple(said)


def _same_rows(me: Participant, watch: Watch, read: Callable[[Source], Rows]) -> Rows:
    rows = read(watch.source)
    if fingerprint_of(me.keystore, rows[1].keys) != watch.subjects:
        text = (
            f"{watch.source.file} is about other subjects, or in another order, than when the watch was added: put the "
            "old file back, or remove the watch and add it for the new one"
        )
        raise ClientError("WATCH_FILE_CHANGED", text)
    return rows


def _lines(source: Source, rows: Rows) -> dict[int, tuple[int, str]]:
    """Of each position the line of the file, and what stands there in the column of reference."""
    table, normal = rows
    column = table.header.index(source.reference) if source.reference else None
    found: dict[int, tuple[int, str]] = {}
    for line, row, position in zip(table.line_numbers, table.rows, normal.positions, strict=True):
        found.setdefault(position, (line, row[column] if column is not None else ""))
    return found


def _failing(answer: CheckedAnswer) -> set[str]:
    return {check.id for check in answer.decision.checks if not check.met}


def _register(watch: Watch, answerer: str) -> str:
    return f"{answerer}/{watch.plan.purpose}/{watch.epoch}/{watch.plan.scheme}"
