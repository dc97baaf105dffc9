"""`sluis audit erase | hold`: vault orders, made with an officer's key and handed in on the broker's host."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.cli.audit.root import AsJson, app, read_trust
from broker.cli.policy.root import private_key, write_output, write_whole
from broker.config import Config, load_config
from broker.erasure import HOLDS, ORDER, demand_allowed, holds_of
from broker.errors import Code, SluisError
from broker.policy.legal_days import midnight
from broker.policy.vault_orders import ERASE, HOLD, LIFT, VaultOrder, erase_order, hold_order, lift_order, read_order

hold_app = typer.Typer(help="Place, lift and list legal holds.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(hold_app, name="hold")

_KEY = "Key (PEM) of an officer, or for a hold also of a policy signer."
_Key = Annotated[Path | None, typer.Option("--key", help=_KEY, exists=True, dir_okay=False)]
_Reason = Annotated[str, typer.Option("--reason", help="Why, in one line; it is logged, so no names of persons.")]
_Order = Annotated[
    Path | None, typer.Option("--order", help="Hand in an order made elsewhere.", exists=True, dir_okay=False)
]
_Out = Annotated[Path | None, typer.Option("--out", help="Write the order here instead of handing it in.")]
_TrustFile = Annotated[
    Path | None, typer.Option("--trust", help="The trust file of the log, instead of --config, with --out.")
]
_ConfigFile = Annotated[Path, typer.Option("--config", help="The broker's configuration file.")]
_Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for the broker.", min=0, max=600)]
_BROKER_YAML = Path("broker.yaml")
_NOT_TAKEN = 5
Make = Callable[[dict[str, Any]], Callable[[Ed25519PrivateKey], VaultOrder]]


@app.command("erase")
def erase(
    *,
    exchange: Annotated[
        list[str] | None, typer.Option("--exchange", help="ASKER/EXCHANGE-ID; may be repeated.")
    ] = None,
    key: _Key = None,
    reason: _Reason = "",
    case: Annotated[str, typer.Option("--case", help="Your case reference; only a commitment to it is logged.")] = "",
    order: _Order = None,
    out: _Out = None,
    trust: _TrustFile = None,
    config: _ConfigFile = _BROKER_YAML,
    wait: _Wait = 10,
    as_json: AsJson = False,
) -> None:
    """Erase what opens an exchange: its pseudonyms, case number, results and kept answers (GDPR art. 17).

    An officer of the asking agency signs. The log stays whole and its receipts stay valid; what they commit to can be
    opened no more. An exchange is erased whole, with everybody it asked about.

    Example: sluis audit erase --exchange utrecht/0b0e6a3c-8f0e-4d7e-9c57-6d8f6a1b2c3d --key officer.pem --reason done

    Example: sluis audit erase --order order.json --config broker.yaml
    """

    def make(log: dict[str, Any]) -> Callable[[Ed25519PrivateKey], VaultOrder]:
        named = [_exchange(text) for text in exchange or ()]
        if not named:
            raise typer.BadParameter("name at least one exchange, with --exchange")
        return erase_order(named, reason, case=(os.urandom(32), case) if case else None, **log)

    _carry_out(ERASE, make, _Way(key, order, out, trust, config, wait, as_json))


@hold_app.command("add")
def hold_add(
    *,
    until: Annotated[str, typer.Option("--until", help="The last day of the hold, such as 2027-12-31.")] = "",
    purpose: Annotated[str, typer.Option("--purpose", help="Only exchanges of this purpose.")] = "",
    party: Annotated[str, typer.Option("--party", help="Only exchanges in which this party takes part.")] = "",
    exchange: Annotated[str, typer.Option("--exchange", help="Only the exchange of this id.")] = "",
    asked_from: Annotated[str, typer.Option("--asked-from", help="Only what was asked from this day on.")] = "",
    asked_to: Annotated[str, typer.Option("--asked-to", help="Only what was asked to this day.")] = "",
    key: _Key = None,
    reason: _Reason = "",
    order: _Order = None,
    out: _Out = None,
    trust: _TrustFile = None,
    config: _ConfigFile = _BROKER_YAML,
    wait: _Wait = 10,
    as_json: AsJson = False,
) -> None:
    """Keep what is in the vault from retention and erasure: for an inquiry, a court, a supervisory authority.

    A policy signer signs, or an officer of the party or of a party of the purpose. Days are those of Amsterdam.

    Example: sluis audit hold add --purpose snf-locatie --until 2027-12-31 --reason "inquiry 7" --key officer.pem
    """

    def make(log: dict[str, Any]) -> Callable[[Ed25519PrivateKey], VaultOrder]:
        if not until or not (purpose or party):
            raise typer.BadParameter("a hold needs --until, and --purpose or --party")
        return hold_order(
            reason,
            until=_day(until, "--until", after=True),
            purpose=purpose or None,
            party=party or None,
            exchange=exchange or None,
            asked_from=_day(asked_from, "--asked-from") if asked_from else None,
            asked_until=_day(asked_to, "--asked-to", after=True) if asked_to else None,
            **log,
        )

    _carry_out(HOLD, make, _Way(key, order, out, trust, config, wait, as_json))


@hold_app.command("lift")
def hold_lift(
    *,
    hold: Annotated[str, typer.Argument(help="The hold's id, as `sluis audit hold list` shows it.")] = "",
    key: _Key = None,
    reason: _Reason = "",
    order: _Order = None,
    out: _Out = None,
    trust: _TrustFile = None,
    config: _ConfigFile = _BROKER_YAML,
    wait: _Wait = 10,
    as_json: AsJson = False,
) -> None:
    """End a hold before its day; what is due goes at the next sweep, within the hour.

    A policy signer signs, or an officer of the party whose officer placed it.

    Example: sluis audit hold lift 3f2a9c0d1b4e5f60 --key officer.pem --reason "inquiry closed"
    """

    def make(log: dict[str, Any]) -> Callable[[Ed25519PrivateKey], VaultOrder]:
        if not hold:
            raise typer.BadParameter("name the hold; see `sluis audit hold list`")
        return lift_order(hold, reason, **log)

    _carry_out(LIFT, make, _Way(key, order, out, trust, config, wait, as_json))


@hold_app.command("list")
def hold_list(config: _ConfigFile = _BROKER_YAML, as_json: AsJson = False) -> None:
    """List the holds that were not lifted, with who they bind until when.

    Example: sluis audit hold list --config broker.yaml
    """
    from broker.own_log import open_log

    reader = open_log(load_config(config))
    try:
        holds = holds_of(reader.document(*HOLDS))
    finally:
        reader.close()
    now = datetime.now(UTC)
    if as_json:
        print(json.dumps([{"hold": one.hold, "key": one.key, "over": one.over(now), **one.stated} for one in holds]))
        return
    for one in holds:
        said = " ".join(f"{name} {one.stated[name]}" for name in _NAMED if one.stated[name] is not None)
        print(f"{one.hold}  until {one.stated['until']}{' (over)' if one.over(now) else ''}  {said}")
        print(f"    {one.stated['reason']}; placed {one.stated['made_at']} with key {one.key[:16]}")
    if not holds:
        print("no holds")


_NAMED = ("purpose", "party", "exchange", "asked_from", "asked_until")


@dataclass(frozen=True)
class _Way:
    """How an order is made, and where it goes."""

    key: Path | None
    order: Path | None
    out: Path | None
    trust: Path | None
    config: Path
    wait: float
    as_json: bool


def _carry_out(kind: str, make: Make, way: _Way) -> None:
    """Makes an order or reads one, and writes it or hands it in."""
    if (way.key is None) == (way.order is None):
        raise typer.BadParameter("give --key and --reason to make an order, or --order to hand one in")
    if way.trust is not None and way.out is None:
        raise typer.BadParameter("--trust is for orders that are written with --out")
    loaded = None if way.trust is not None else load_config(way.config)
    if loaded is not None:
        origin, environment = loaded.origin, loaded.environment.value
    else:
        assert way.trust is not None
        known = read_trust(way.trust)
        origin, environment = known.origin, known.environment
    if way.order is not None:
        made = read_order(way.order.read_bytes(), origin=origin, environment=environment)
        if made.type != kind:
            raise SluisError(Code.ORDER_INVALID, f"{way.order.name} is an order of another kind: {made.type}")
    else:
        assert way.key is not None
        log = {"origin": origin, "environment": environment, "made_at": datetime.now(UTC)}
        made = make(log)(private_key(way.key))
    if way.out is not None:
        write_output(way.out, made.encode(), "--out")
        text = f"wrote {way.out}: order {made.order}; hand it in with --order {way.out.name}"
        _say(made, text, way.as_json, taken=False)
        return
    assert loaded is not None
    _hand_in(loaded, made, way)


def _hand_in(config: Config, made: VaultOrder, way: _Way) -> None:
    from broker.acceptance import check_bundle
    from broker.own_log import open_log, orders_of
    from broker.policy_files import read_bundle_file

    reader = open_log(config)
    try:
        now = datetime.now(UTC)
        policies = check_bundle(config, read_bundle_file(config), now)
        demand_allowed(made, reader, policies, config.policy.signers, now)
        folder = orders_of(config)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{made.order}.json"
        write_whole(folder / name, made.encode())
        deadline = time.monotonic() + way.wait
        while (entry := reader.document(ORDER, made.order)) is None and time.monotonic() < deadline:
            if (folder / "refused" / name).exists():
                text = "the broker refused the order; its diagnostic log has the code"
                raise SluisError(Code.ORDER_INVALID, text)
            time.sleep(0.2)
    finally:
        reader.close()
    if entry is None:
        text = f"handed in: order {made.order}; NOT carried out yet: no broker took it up in {way.wait:g} s"
        _say(made, f"{text}; a broker that is stopped does so at its next start", way.as_json, taken=False)
        raise typer.Exit(_NOT_TAKEN)
    done = {ERASE: "erased", HOLD: "held", LIFT: "lifted"}[made.type]
    text = f"{done}: order {made.order}, entry {int(entry)} of the log"
    _say(made, text, way.as_json, taken=True, entry=int(entry))


def _say(made: VaultOrder, text: str, as_json: bool, **more: object) -> None:  # as the option
    if as_json:
        print(json.dumps({"order": made.order, "type": made.type, **more}))
        return
    print(text)
    if made.opening is not None:
        print(f"your case reference stands in it as a commitment; keep its salt: {made.opening[0].hex()}")


def _exchange(text: str) -> tuple[str, str]:
    asker, separator, exchange = text.partition("/")
    if not separator:
        raise typer.BadParameter("--exchange reads ASKER/EXCHANGE-ID, such as utrecht/0b0e6a3c-...")
    return asker, exchange


def _day(text: str, option: str, *, after: bool = False) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} takes a day, such as 2027-12-31") from None
    return midnight(day + timedelta(days=1) if after else day)
