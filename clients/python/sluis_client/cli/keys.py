"""`sluis-client init | keys ...`: the profile, the agency's encryption key, and the keys of purposes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluis_client.cli.protecting import keys_passphrase, keys_protect
from sluis_client.cli.session import (
    EpochOption,
    JsonOption,
    ProfileOption,
    columned,
    day,
    emit,
    note,
    pairs,
    participant,
    the_profile,
)
from sluis_client.errors import ClientError
from sluis_client.keystore import EpochKey
from sluis_client.private_files import write_private
from sluis_client.profile import DEFAULT_NAME
from sluis_client.profile_template import template
from sluis_client.statements import utc

if TYPE_CHECKING:
    from sluis_client.custody import Created
    from sluis_client.destruction import Ended
    from sluis_client.policy import PurposeView

PurposeOption = Annotated[str, typer.Option("--purpose", help="The purpose's name.")]


def mount(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("init")(init)
    keys = typer.Typer(
        help="The agency's encryption key, and the keys of purposes.", no_args_is_help=True, rich_markup_mode=None
    )
    keys.command("init")(keys_init)
    keys.command("create")(keys_create)
    keys.command("rotate")(keys_rotate)
    keys.command("fetch")(keys_fetch)
    keys.command("status")(keys_status)
    keys.command("keep")(keys_keep)
    keys.command("destroy")(keys_destroy)
    keys.command("show")(keys_show)
    keys.command("protect")(keys_protect)
    keys.command("passphrase")(keys_passphrase)
    app.add_typer(keys, name="keys")


def init(
    path: Annotated[Path, typer.Argument(help="Where to write the profile.")] = Path(DEFAULT_NAME),
    values: Annotated[
        list[str] | None, typer.Option("--set", help="key=value to fill in; lists as key=one,two; may be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented profile to fill in.

    \b
    Example: sluis-client init --set party=utrecht --set broker=sluis.example.nl:8443
    """
    lists = {"log_keys", "policy_signers"}
    filled: dict[str, str | list[str]] = {
        name: value.split(",") if name in lists else value for name, value in pairs(values, "--set").items()
    }
    text = template(filled)
    if path.exists() and not force:
        raise ClientError("PROFILE_EXISTS", f"{path} exists; name another file, or give --force to overwrite it")
    write_private(path, text.encode())
    emit({"profile": str(path)}, [f"wrote {path}; fill it in, then run `sluis-client keys init`"], as_json)


def keys_init(
    renew: Annotated[
        bool, typer.Option("--renew", help="Make another key; stewards must then add you again (`keys create`).")
    ] = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make this agency's encryption key and publish its public half. Safe to repeat.

    \b
    Example: sluis-client keys init
    """
    from sluis_client.custody import init_encryption_key

    with participant(profile) as me:
        key = init_encryption_key(me, renew=renew)
    lines = [
        f"encryption key {key.digest[:16]} is published and kept in {me.keystore.directory}",
        "stewards can now seal keys to you: tell them to run `sluis-client keys create`, then run `keys fetch`",
    ]
    emit({"encryption_key": key.digest, "state": str(me.keystore.directory)}, lines, as_json)


def keys_create(
    purpose: PurposeOption,
    epoch: EpochOption = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """As steward: make the key of a purpose and epoch and seal it to every participant; again: to those who came later.

    \b
    Example: sluis-client keys create --purpose snf-locatie --epoch 2026Q4
    """
    from sluis_client.custody import create_epoch

    with participant(profile) as me:
        created = create_epoch(me, purpose, epoch)
        view = me.purpose(purpose)
    _tell_created(created, view, as_json)


def keys_rotate(
    purpose: PurposeOption,
    now: Annotated[
        bool, typer.Option("--now", help="Retire the key in force and make the one in its place, at once.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="With --now: leak, departure, lost-steward or precaution; it is logged.")
    ] = "",
    epoch: Annotated[
        str, typer.Option("--epoch", help="With --now: another epoch than the one in force, made ahead or overlapping.")
    ] = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """As steward: make the next epoch's key ahead of its time; with --now, another key in the place of one that leaked.

    A retired key is refused from then on: answerers must publish again before they can be asked.

    \b
    Example: sluis-client keys rotate --purpose snf-locatie
    """
    from sluis_client.rotation import rotate, rotate_now

    if now != bool(reason) or (epoch and not now):
        raise ClientError("USAGE", "give --now and --reason together, or neither to make the next epoch's key")
    with participant(profile) as me:
        created = rotate_now(me, purpose, reason, epoch) if now else rotate(me, purpose)
        view = me.purpose(purpose)
    if now:
        note("the key before is retired: nothing made with it is taken any more; answerers must publish again")
        late = f"run `keys create --epoch {created.key.epoch}` (this again would retire this key too)"
        _tell_created(created, view, as_json, late)
        return
    _tell_created(created, view, as_json)


def _tell_created(created: Created, view: PurposeView, as_json: bool, late: str = "run this again") -> None:
    """`late`: what to do for participants that have no encryption key yet."""
    from sluis_client.key_services import lacks_pins

    key = created.key
    lines = [
        f"key {key.key_id} of {key.purpose} {key.epoch}: sealed to {', '.join(created.recipients)}"
        if created.changed
        else f"key {key.key_id} of {key.purpose} {key.epoch} was sealed to all of them already; nothing changed"
    ]
    if created.waiting:
        note(f"no encryption key yet: {', '.join(created.waiting)}; {late} once they ran `keys init`")
    if lacks_pins(view, key.epoch):
        services = ", ".join(one.name for one in view.key_services)
        text = f"the policy names no public keys of the key services for {key.epoch} yet: nothing can be made under it"
        note(f"{text} until a revision with them is in force; ask the operators of {services}")
    value = {
        **_key_json(key),
        "recipients": list(created.recipients),
        "waiting": list(created.waiting),
        "changed": created.changed,
    }
    emit(value, lines, as_json)


def keys_fetch(
    purpose: PurposeOption,
    epoch: EpochOption = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the key of a purpose and epoch out of your own envelope. `match` and `publish` do this by themselves.

    \b
    Example: sluis-client keys fetch --purpose snf-locatie
    """
    from sluis_client.custody import fetch_epoch

    with participant(profile) as me:
        key = fetch_epoch(me, purpose, epoch, past=True)
    emit(_key_json(key), [f"key {key.key_id} of {key.purpose} {key.epoch} is kept in {me.keystore.directory}"], as_json)


def keys_show(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """List the keys kept here, by name. No key is ever printed.

    \b
    Example: sluis-client keys show
    """
    from sluis_client.party_keys import keystore_of

    keystore = keystore_of(the_profile(profile))
    own, keys = keystore.encryption_key(), keystore.epoch_keys()
    lines = [f"encryption key {own.digest[:16]}" if own else "no encryption key; run `sluis-client keys init`"]
    rows = [("purpose", "epoch", "key id", "steward", "valid until")]
    rows += [(key.purpose, key.epoch, key.key_id, key.steward, utc(key.valid_until)) for key in keys]
    lines += columned(rows) if keys else ["no keys of purposes; run `sluis-client keys fetch --purpose ...`"]
    value = {"encryption_key": own.digest if own else None, "keys": [_key_json(key) for key in keys]}
    emit(value, lines, as_json)


def keys_status(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """List every key with where it stands: ahead, in force, overlap, retired, escrow until when, or destroyed.

    \b
    Example: sluis-client keys status
    """
    from sluis_client.destruction import ended
    from sluis_client.key_states import key_states

    with participant(profile) as me:
        states, gone = key_states(me), ended(me.keystore)
        replaced = len(me.keystore.replaced_encryption_keys())
    rows = [("purpose", "epoch", "key id", "state", "until", "destroyed after")]
    for one in states:
        until, escrow = (utc(moment) if moment else "not known" for moment in (one.until, one.escrow_until))
        rows.append((one.key.purpose, one.key.epoch, one.key.key_id, one.state, until, escrow))
    for end in gone:
        logged = f"entry {end.index}" if end.index is not None else "not logged yet"
        rows.append((end.purpose or "(encryption key)", end.epoch, end.key_id, "destroyed", end.at, logged))
    lines = list(columned(rows)) if len(rows) > 1 else ["no keys of purposes"]
    if replaced:
        lines.append(f"encryption keys that were replaced and may still open envelopes: {replaced}")
    kept = [
        {
            **_key_json(one.key),
            "state": one.state,
            "until": utc(one.until) if one.until else None,
            "escrow_until": utc(one.escrow_until) if one.escrow_until else None,
        }
        for one in states
    ]
    emit({"keys": kept, "destroyed": [_ended_json(one) for one in gone], "replaced": replaced}, lines, as_json)


def keys_keep(
    purpose: PurposeOption,
    until: Annotated[str, typer.Option("--until", help="The last day on which it is kept, such as 2030-12-31.")],
    epoch: Annotated[str, typer.Option("--epoch", help="The key epoch, such as 2026Q4.")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a key longer than its escrow, as for a legal hold: without it the questions of its epoch cannot be searched.

    \b
    Example: sluis-client keys keep --purpose snf-locatie --epoch 2026Q4 --until 2030-12-31
    """
    from sluis_client.destruction import keep_until

    with participant(profile, look_after_keys=False) as me:
        key = keep_until(me, purpose, epoch, day(until, "--until", inclusive_end=True))
    kept = utc(key.escrow_until) if key.escrow_until else ""
    lines = [f"key {key.key_id} of {key.purpose} {key.epoch} is kept until {kept}"]
    emit({**_key_json(key), "escrow_until": kept}, lines, as_json)


def keys_destroy(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """Destroy the keys whose escrow is over, and replaced encryption keys that open nothing more; signed and logged.

    Every command that connects does this by itself when a key is due. One that is still needed is never touched.

    \b
    Example: sluis-client keys destroy
    """
    from sluis_client.destruction import destroy_due

    with participant(profile, look_after_keys=False) as me:
        done = destroy_due(me)
    lines = [
        f"destroyed: {f'key of {one.purpose} {one.epoch}' if one.epoch else 'encryption key'} {one.key_id}, "
        f"{one.caches} caches; logged as entry {one.index}"
        for one in done
    ]
    emit({"destroyed": [_ended_json(one) for one in done]}, lines or ["nothing is due"], as_json)


def _ended_json(one: Ended) -> dict[str, Any]:
    return {
        "what": one.what,
        "purpose": one.purpose,
        "epoch": one.epoch,
        "key_id": one.key_id,
        "at": one.at,
        "caches": one.caches,
        "index": one.index,
    }


def _key_json(key: EpochKey) -> dict[str, Any]:
    return {
        "purpose": key.purpose,
        "epoch": key.epoch,
        "key_id": key.key_id,
        "steward": key.steward,
        "valid_from": utc(key.valid_from),
        "valid_until": utc(key.valid_until),
    }
