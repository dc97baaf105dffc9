"""Which policy sets this broker would take: what its configuration demands beside signatures and approvals."""

from __future__ import annotations

from datetime import datetime

from broker.config import Config
from broker.directory import load_directory
from broker.errors import Code, SluisError
from broker.parties import Environment
from broker.policy.bundle import load_bundle
from broker.policy.document import PolicySet


def check_bundle(config: Config, bundle: bytes, now: datetime) -> PolicySet:
    """The set of a bundle, judged as a broker with this configuration would that has no log yet.

    Raises:
        SluisError: the reason why the broker would refuse it.
    """
    policies = read_policies(config, bundle, now)
    load_directory(config, policies)
    return policies


def read_policies(config: Config, bundle: bytes, now: datetime) -> PolicySet:
    """As `check_bundle`, without a look at the parties' certificates."""
    policies = load_bundle(
        bundle,
        signers=config.policy.signers,
        quorum=config.policy.quorum,
        now=now,
        unsafe_skip_approvals=config.policy.unsafe_skip_approvals,
    )
    _check_oins(config, policies)
    return policies


def accept(config: Config, policies: PolicySet) -> None:
    """Refuses a set that does not go with the rest of the configuration. Raises CONFIG_INVALID."""
    _check_oins(config, policies)
    load_directory(config, policies)


def _check_oins(config: Config, policies: PolicySet) -> None:
    if config.environment is Environment.PRODUCTION:
        for name, party in policies.catalogue.parties.items():
            if party.oin.startswith("00000099"):
                raise SluisError(
                    Code.CONFIG_INVALID, f"the policy set's party {name} has a test OIN, which production refuses"
                )
