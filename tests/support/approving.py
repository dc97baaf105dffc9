"""Officers and approvals for test worlds: an officer for every party, and both sides' approval of what is active."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.policy.approvals import Approval, approve
from broker.policy.bundle import policy_set_from_texts

APPROVED_ON = date(2026, 11, 1)


class Officers:
    """Keys of one officer a party, named after it."""

    def __init__(self) -> None:
        self.keys: dict[str, Ed25519PrivateKey] = {}

    def add_to(self, texts: Mapping[str, str]) -> dict[str, str]:
        """The texts with an `officers.yaml` for their parties."""
        lines = ["officers:"]
        for party in policy_set_from_texts(texts).catalogue.parties:
            key = self.keys.setdefault(party, Ed25519PrivateKey.generate())
            lines += [
                f"  {party}-officer:",
                f"    title: {{nl: functionaris van {party}, en: officer of {party}}}",
                f"    signs_for: [{party}]",
                f'    key: "{key.public_key().public_bytes_raw().hex()}"',
            ]
        return {**texts, "officers.yaml": "\n".join(lines) + "\n"}

    def approve(self, texts: Mapping[str, str]) -> list[Approval]:
        """The approvals of every active purpose, by its first asker and its first answerer."""
        policies = policy_set_from_texts(texts)
        return [
            approve(policies, name, f"{party}-officer", self.keys[party], APPROVED_ON)
            for name, purpose in policies.purposes.items()
            if purpose.state == "active"
            for party in (purpose.asks[0], purpose.answers[0])
        ]
