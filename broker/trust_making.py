"""The trust file that goes with a broker's configuration: for the operator, who hands it to an auditor."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from broker.audit.trust import trust_text
from broker.config import Config
from broker.exchange_log.opening import key_periods
from broker.own_log import open_log, verifier_key
from broker.policy.evaluate import ENGINES
from broker.ports import LogReader
from broker.stamping import pem_text


def trust_of(config: Config, **numbers: int) -> str:
    """The text of the trust file (docs/formats.md section 8) that goes with this broker's log.

    `numbers`: `stamp_max_gap_hours` and `stamp_from`, which the broker's configuration does not know.
    """
    witness = config.witness
    keys, periods = _log_keys(config)
    if witness:
        numbers = {"witness_grace_minutes": witness.grace_minutes, **numbers}
    return trust_text(
        origin=config.origin,
        environment=config.environment.value,
        log_keys=keys,
        key_periods=periods,
        issuers=[path.read_text(encoding="ascii") for path in config.tls.client_issuers],
        policy_signers=config.policy.signers,
        policy_quorum=config.policy.quorum,
        engines=list(ENGINES),
        unsafe_skip_approvals=config.policy.unsafe_skip_approvals,
        revocation_max_age_hours=config.tls.revocation_max_age_hours,
        time_stampers=[pem_text(path) for path in config.time_stamps.certificates] if config.time_stamps else (),
        witnesses=[str(key) for key in witness.keys] if witness else (),
        witness_quorum=witness.quorum if witness else 0,
        **numbers,
    )


def _log_keys(config: Config) -> tuple[list[str], list[str]]:
    """The log's verifier keys, oldest first, and their periods once there were several.

    Before there is a log, the key that it will have. A key counts from the entry that names it up to the next one's.
    """
    if not (config.data / "sluis.db").is_file():
        return [verifier_key(config)], []
    reader = open_log(config)
    try:
        keys = key_periods(reader) if reader.size() else ((0, verifier_key(config)),)
        if len(keys) == 1:
            return [keys[0][1]], []
        ends = [*(_time_of(reader, index) for index, _ in keys[1:]), None]
    finally:
        reader.close()
    begins: list[datetime | None] = [None, *ends[:-1]]
    return [key for _, key in keys], [
        f"{key} {_second(begin)} {_second(end, up=True)}"
        for (_, key), begin, end in zip(keys, begins, ends, strict=True)
    ]


def _time_of(reader: LogReader, index: int) -> datetime:
    (entry,) = reader.entries(index, index + 1)
    return datetime.fromisoformat(json.loads(entry.leaf)["sequenced_at"])


def _second(at: datetime | None, *, up: bool = False) -> str:
    """A whole second: the one that `at` lies in, or its end."""
    if at is None:
        return "-"
    whole = at.replace(microsecond=0) + timedelta(seconds=bool(up and at.microsecond))
    return whole.strftime("%Y-%m-%dT%H:%M:%SZ")
