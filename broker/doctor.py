"""What `sluis doctor` looks at: everything a broker needs, without serving and without writing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from broker import key_store
from broker.acceptance import read_policies
from broker.asking import POLICY_STATE, policy_state
from broker.config import Config
from broker.directory import check_own_certificate, load_directory
from broker.errors import Code, SluisError
from broker.evaluations import demand_pinned
from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.ending import sealed_for
from broker.exchange_log.high_water import check_mark
from broker.exchange_log.opening import check_whole, first_entry, key_periods
from broker.own_log import high_water_mark, open_log, open_seeds, same_volume, verifier_key
from broker.policy.document import PolicySet
from broker.policy_files import read_bundle_file
from broker.stamping import age_told, read_time_stampers
from broker.witnesses import examine_witnesses


@dataclass(frozen=True)
class Finding:
    """One thing that `sluis doctor` looked at."""

    what: str
    ok: bool
    detail: str


def examine(config: Config) -> tuple[Finding, ...]:
    """Looks at everything a broker needs, in the order it needs it; the log is re-hashed whole. Writes nothing."""
    findings: list[Finding] = []

    def look(what: str, check: Callable[[], str]) -> bool:
        try:
            findings.append(Finding(what, ok=True, detail=check()))
        except SluisError as error:
            findings.append(Finding(what, ok=False, detail=f"{error.code.name}: {error.message}"))
        except (OSError, ValueError) as error:
            findings.append(Finding(what, ok=False, detail=f"cannot be read ({type(error).__name__})"))
        return findings[-1].ok

    @cache
    def policies() -> PolicySet:
        return read_policies(config, read_bundle_file(config), datetime.now(UTC))

    look("keys", lambda: verifier_key(config))
    look("key store", lambda: key_store.told(config))
    look("own certificate", lambda: check_own_certificate(config, datetime.now(UTC)))
    if look("policy set", lambda: f"{policies().digest[:16]}, revision {policies().revision}"):
        look("parties", lambda: f"{len(load_directory(config, policies()).entries)} with valid certificates")
    if config.key_service is not None:
        look("key service", lambda: _examine_service_keys(config, policies()))
    if findings[0].ok and _begun(config):
        look("policy in force", lambda: _examine_in_force(config, policies()))
        look("log", lambda: _examine_log(config))
        if config.time_stamps is not None:
            look("time stamps", lambda: _examine_stamps(config))
        look("witnesses", lambda: _examine_witnesses(config))
    look("high-water file", lambda: _examine_high_water(config))
    return tuple(findings)


def _examine_log(config: Config) -> str:
    key = parse_verifier_key(verifier_key(config))
    reader = open_log(config)
    try:
        text = f"{check_whole(reader, key)} entries, every checkpoint fits"
        previous = first_entry(reader).body["previous"]
        changes, next_origin = len(key_periods(reader)) - 1, sealed_for(reader)
        text += f"; follows {previous['origin']} ({previous['reason']})" if previous else ""
        text += f"; log key changed {'once' if changes == 1 else f'{changes} times'}" if changes else ""
        return text + (f"; sealed, {next_origin} follows" if next_origin else "")
    finally:
        reader.close()


def _examine_service_keys(config: Config, policies: PolicySet) -> str:
    seeds = open_seeds(config)
    try:
        demand_pinned(policies, seeds, datetime.now(UTC))
        found = seeds.list()
        pinned = sum(
            policies.purposes[key.purpose].pseudonyms.public_keys.get(key.epoch, {}).get(seeds.service)
            == key.public.hex()
            for key in found
            if key.purpose in policies.purposes
        )
        named = [one for one in policies.purposes.values() if seeds.service in one.pseudonyms.key_services]
        text = f"{seeds.service}, {len(found)} keys, of which the policy set pins {pinned}"
        return text + ("" if named else f"; no purpose of the set names {seeds.service}: nothing is evaluated")
    finally:
        seeds.close()


def _examine_witnesses(config: Config) -> str:
    reader = open_log(config)
    try:
        return examine_witnesses(config, reader)
    finally:
        reader.close()


def _examine_high_water(config: Config) -> str:
    if config.high_water is not None and not config.high_water.exists() and not _begun(config):
        if not config.high_water.parent.is_dir():
            raise SluisError(
                Code.HIGH_WATER_UNUSABLE, f"{config.high_water.parent}: no such directory; mount its volume or make it"
            )
        return "not there yet: the first start makes it"
    mark = high_water_mark(config)
    if mark is None:
        return (
            "none set: an older copy of the database that is put back would not be noticed (docs/operate.md section 5)"
        )
    volume = "; WARNING: on the volume of the data, so it would be lost with it" if same_volume(config) else ""
    if not (config.data / "sluis.db").exists():
        if mark.size:
            raise SluisError(Code.LOG_SHRUNK, f"{mark.size} entries were acknowledged, and there is no database")
        return "made, no log yet"
    reader = open_log(config)
    try:
        check_mark(reader, config.origin, mark, followed_by=mark.next)
        ended = f"; this log has ended, {mark.next} follows" if mark.next else ""
        return f"{mark.size} entries acknowledged, and the log holds them{ended}{volume}"
    finally:
        reader.close()


def _begun(config: Config) -> bool:
    """Whether the log may have an entry: a start that was refused leaves an empty database."""
    if not (config.data / "sluis.db").exists():
        return False
    try:
        reader = open_log(config)
    except (SluisError, OSError):
        return True  # what is wrong with it is told by whoever reads it
    try:
        return reader.size() > 0
    except SluisError:
        return True
    finally:
        reader.close()


def _examine_stamps(config: Config) -> str:
    assert config.time_stamps is not None
    read_time_stampers(config)
    reader = open_log(config)
    try:
        return age_told(reader, timedelta(minutes=config.time_stamps.every_minutes), datetime.now(UTC))
    finally:
        reader.close()


def _examine_in_force(config: Config, policies: PolicySet) -> str:
    """Whether the bundle on disk is the set that the log has in force, or may follow it."""
    reader = open_log(config)
    try:
        stored = reader.document(*POLICY_STATE)
    finally:
        reader.close()
    if stored is None or stored == policy_state(policies.digest, policies.revision):
        return f"revision {policies.revision}, as the bundle on disk" if stored else "none yet"
    state = json.loads(stored)
    if state["revision"] >= policies.revision:
        raise SluisError(
            Code.POLICY_REVISION_LOWER,
            f"revision {state['revision']} is in force, and the bundle on disk has {policies.revision}, so it is not "
            "taken up; put the newest in place with `sluis policy activate`",
        )
    return f"revision {state['revision']}; the bundle on disk, revision {policies.revision}, will be taken up"
