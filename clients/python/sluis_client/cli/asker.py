"""`sluis-client purposes | check | exchanges | budget`: for those who ask."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sluis_client.cli import match
from sluis_client.cli.answerer import (
    SchemeOption,
)
from sluis_client.cli.keys import PurposeOption
from sluis_client.cli.question import (
    AnswererOption,
    BehalfOption,
    CaseOption,
    CooperationOption,
    CountOption,
    HitOption,
    WantOption,
    decision_json,
    wanted,
)
from sluis_client.cli.session import (
    EpochOption,
    JsonOption,
    ProfileOption,
    columned,
    decision_lines,
    emit,
    names,
    participant,
)
from sluis_client.errors import Exit
from sluis_client.statements import utc


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    purposes = typer.Typer(help="What may be asked, by whom, for what.", no_args_is_help=True, rich_markup_mode=None)
    purposes.command("list")(purposes_list)
    purposes.command("show")(purposes_show)
    app.add_typer(purposes, name="purposes")
    app.command("check")(check)
    match.mount(app)
    exchanges = typer.Typer(help="The agency's own exchanges.", no_args_is_help=True, rich_markup_mode=None)
    exchanges.command("list")(exchanges_list)
    app.add_typer(exchanges, name="exchanges")
    app.command("budget")(budget)


def purposes_list(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """List the purposes in which this agency takes part.

    \b
    Example: sluis-client purposes list
    """
    with participant(profile) as me:
        found = me.transport.purposes()
    rows = [("purpose", "state", "epoch", "question")]
    rows += [(one.name, one.state, one.epoch, one.title_en) for one in found]
    value = {
        "purposes": [
            {"name": one.name, "state": one.state, "epoch": one.epoch, "nl": one.title_nl, "en": one.title_en}
            for one in found
        ]
    }
    emit(value, columned(rows) if found else ["this agency takes part in no purpose"], as_json)


def purposes_show(
    purpose: Annotated[str, typer.Argument(help="The purpose's name.")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all an asker or answerer needs of one purpose, from the policy set whose signatures were verified.

    \b
    Example: sluis-client purposes show snf-locatie
    """
    with participant(profile) as me:
        view, shown, policy = me.purpose(purpose), me.transport.purpose(purpose), me.policy
    meanings = {name: (nl, en) for name, _, _, nl, en in shown.attributes}
    attributes = [
        {
            "name": attribute.name,
            "type": attribute.type,
            "width": attribute.width,
            "codes": list(attribute.codes),
            "nl": meanings.get(attribute.name, ("", ""))[0],
            "en": meanings.get(attribute.name, ("", ""))[1],
        }
        for attribute in view.attributes.values()
    ]
    value: dict[str, Any] = {
        "name": view.name,
        "nl": shown.title_nl,
        "en": shown.title_en,
        "state": view.state,
        "state_at_broker": shown.state,
        "asks": list(view.asks),
        "answers": list(view.answers),
        "about": view.about,
        "schemes": list(view.schemes),
        "match_keys": {name: view.match_keys(name) for name in view.schemes if view.keys_per_scheme[name] > 1},
        "hit": view.hit,
        "count": view.count,
        "attributes": attributes,
        "mode": view.mode,
        "key_services": {service.name: service.operator for service in view.key_services},
        "service_keys_for": sorted(view.public_keys),
        "epoch": shown.epoch,
        "steward": view.steward,
        "successors": list(view.stewards[1:]),
        "limits": dict(view.limits),
        "rules": dict(view.rules),
        "case_number_required": view.case_number_required,
        "cooperation_ref_required": view.cooperation_ref_required,
        "answer_keep_days": view.answer_keep_days,
        "policy": {
            "digest": policy.digest,
            "revision": policy.revision,
            "expires": utc(policy.expires),
            "approvals_verified": policy.approved,
        },
    }
    hidden = {"attributes", "policy", *(name for name in _ONLY_WHERE_SOME if not value[name])}
    rows = [(f"{name}:", _plain(item)) for name, item in value.items() if name not in hidden]
    rows += [(f"  {item['name']}:", f"{item['type']}, {item['en']}") for item in attributes]
    approved = "both sides' approvals verified" if policy.approved else "approvals NOT verified"
    rows.append(("policy:", f"revision {policy.revision}, {policy.digest[:16]}, signatures verified, {approved}"))
    emit(value, columned(rows), as_json)


_ONLY_WHERE_SOME = ("match_keys", "key_services", "service_keys_for", "successors")
"""What is shown of purposes that have any: a line `none` would be read as a fault."""


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def check(
    *,
    purpose: PurposeOption,
    scheme: SchemeOption,
    answerer: AnswererOption,
    want: WantOption = None,
    hit: HitOption = False,
    count: CountOption = False,
    subjects: Annotated[int, typer.Option("--subjects", min=1, help="How many rows the question would have.")] = 1,
    case_number: CaseOption = "",
    cooperation_ref: CooperationOption = "",
    on_behalf_of: BehalfOption = "",
    epoch: EpochOption = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask whether a question would be permitted, and why: a dry run, logged, that costs no budget. Exit code 5: denied.

    \b
    Example: sluis-client check --purpose snf-locatie --scheme bag --answerer snf --want beds --subjects 200
    """
    from sluis_client.ask import Plan, dry_run

    learn = wanted(want, hit=hit, count=count)
    plan = Plan(purpose, scheme, names(answerer), learn, epoch, case_number, cooperation_ref, on_behalf_of)
    with participant(profile) as me:
        decisions = dry_run(me, plan, subjects)
    lines = [line for who, decision in decisions for line in decision_lines(who, decision, all_checks=True)]
    emit({"decisions": [decision_json(who, decision) for who, decision in decisions]}, lines, as_json)
    if not all(decision.permitted for _, decision in decisions):
        raise typer.Exit(int(Exit.POLICY_DENIED))


def exchanges_list(
    purpose: Annotated[str, typer.Option("--purpose", help="Only of this purpose.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List this agency's exchanges, newest first, and the questions that are not finished yet.

    \b
    Example: sluis-client exchanges list --purpose snf-locatie
    """
    from sluis_client.ask import kept_questions

    with participant(profile) as me:
        found = me.transport.exchanges(purpose, limit)
        unfinished = [one for one in kept_questions(me) if not one["done"] and purpose in ("", one["purpose"])]
    rows = [("exchange", "purpose", "asked at", "answers")]
    for one in found:
        states = ", ".join(f"{state.answerer} {state.status.lower()}" for state in one.answerers)
        rows.append((one.exchange, one.purpose, utc(one.asked_at), states))
    value = {
        "exchanges": [
            {
                "exchange": one.exchange,
                "purpose": one.purpose,
                "asked_at": utc(one.asked_at),
                "answerers": [vars(state) for state in one.answerers],
            }
            for one in found
        ],
        "unfinished": list(unfinished),
    }
    lines = list(columned(rows)) if found else ["no exchanges yet"]
    lines += [f"unfinished: {one['request_id']} of {one['purpose']}; run its `match` again" for one in unfinished]
    emit(value, lines, as_json)


def budget(
    purpose: Annotated[str, typer.Argument(help="The purpose's name.")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how many questions are left today under a purpose, and in mode oblivious how many evaluations.

    \b
    Example: sluis-client budget snf-locatie
    """
    with participant(profile) as me:
        view = me.purpose(purpose)
        left = me.transport.budget(purpose)
        way = me.key_service_of(view)
        services = [way(service.name).budget(purpose) for service in view.key_services]
    value: dict[str, Any] = {
        "requests_per_day": left.requests_per_day,
        "requests_left": left.requests_left,
        "resets_at": utc(left.resets_at),
    }
    lines = [f"{left.requests_left} of {left.requests_per_day} questions left; anew at {utc(left.resets_at)}"]
    if services:
        value["evaluations"] = {
            one.service: {"limit": one.limit, "left": one.left, "resets_at": utc(one.until)} for one in services
        }
    lines += [
        f"{one.left} of {one.limit} evaluations left at key service {one.service}; anew at {utc(one.until)}"
        for one in services
    ]
    emit(value, lines, as_json)
