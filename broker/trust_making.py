"""The trust file that goes with a broker's configuration: for the operator, who hands it to an auditor."""

from __future__ import annotations

from broker.audit.trust import trust_text
from broker.config import Config
from broker.exchange_log.opening import key_periods
from broker.own_log import open_log, verifier_key
from broker.policy.evaluate import ENGINES
from broker.stamping import pem_text


def trust_of(config: Config) -> str:
    """The text of the trust file (docs/formats.md section 8) that goes with this broker's log."""
    witness = config.witness
    return trust_text(
        origin=config.origin,
        environment=config.environment.value,
        log_keys=_log_keys(config),
        issuers=[path.read_text(encoding="ascii") for path in config.tls.client_issuers],
        policy_signers=config.policy.signers,
        policy_quorum=config.policy.quorum,
        engines=list(ENGINES),
        unsafe_skip_approvals=config.policy.unsafe_skip_approvals,
        revocation_max_age_hours=config.tls.revocation_max_age_hours,
        time_stampers=[pem_text(path) for path in config.time_stamps.certificates] if config.time_stamps else (),
        witnesses=[str(key) for key in witness.keys] if witness else (),
        witness_quorum=witness.quorum if witness else 0,
        **({"witness_grace_minutes": witness.grace_minutes} if witness else {}),
    )


def _log_keys(config: Config) -> list[str]:
    """The log's verifier keys, oldest first; before there is a log, the one it will have."""
    if not (config.data / "sluis.db").is_file():
        return [verifier_key(config)]
    reader = open_log(config)
    try:
        return [key for _, key in key_periods(reader)] if reader.size() else [verifier_key(config)]
    finally:
        reader.close()
