"""The asks of a log bundle (docs/formats.md section 7) as decisions read them: for simulation, replay and usage.

Streams: one line at a time, nothing is kept but the policy sets and the notices. Reads without verifying; run
`broker.audit.verify` first where that matters. Nothing here depends on a data subject: the log holds none.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from broker.errors import Code, SluisError
from broker.policy.decision import Facts, Request, facts_from_log, request_from_log
from broker.policy.document import PolicySet, read_policies

_LEAF = b'{"leaf":"'
_POLICY_SET = b'{"policy_set":'
_ASK = b'"kind":"ask","sequenced_at"'
_NOTICE = b'"kind":"notice","sequenced_at"'
_DECISION = b'"decision":'
_AFTER_DECISION = b',"engine":'
_HEAD = re.compile(rb'\{"bundle":"sluis/v1/log",')


class Past(NamedTuple):
    """One logged ask to one answerer. `entry`: its index in the log.

    `failing`: the ids of the checks that were not met, in their order.
    """

    entry: int
    exchange: str
    policy_set: str
    request: Request
    facts: Facts
    permitted: bool
    failing: tuple[str, ...]


@dataclass
class History:
    """What was read so far besides asks. Filled by `past_asks` while it runs."""

    texts: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Digest of a policy set -> its texts."""
    notices: dict[str, dict[str, datetime]] = field(default_factory=dict)
    """Purpose -> suspension notice -> when it was logged."""
    _sets: dict[str, PolicySet | None] = field(default_factory=dict)

    def policies(self, digest: str) -> PolicySet | None:
        """An archived set, read once; None when the bundle does not hold it, or not unchanged."""
        if digest not in self._sets:
            policies, _ = read_policies(self.texts.get(digest, {}))
            self._sets[digest] = policies if policies is not None and policies.digest == digest else None
        return self._sets[digest]

    def suspended_since(self, purpose: str, lifts: Iterable[str]) -> datetime | None:
        """Since when notices that `lifts` does not name suspend a purpose, as far as was read."""
        known = self.notices.get(purpose)
        if not known:
            return None
        lifted = frozenset(lifts)
        return min((at for notice, at in known.items() if notice not in lifted), default=None)


def past_asks(lines: Iterable[bytes], history: History | None = None) -> Iterator[Past]:
    """Every ask of a bundle, in the order of the log.

    Raises:
        SluisError: CONFIG_INVALID when the lines are no log bundle.
    """
    known = history or History()
    first = True
    try:
        for line in lines:
            if first and not _HEAD.match(line):
                raise ValueError
            first = False
            if line.startswith(_LEAF):
                leaf = base64.b64decode(line[len(_LEAF) : line.rindex(b'"')], validate=True)
                if _ASK in leaf:
                    yield _past(leaf)
                elif _NOTICE in leaf:
                    _take_notice(leaf, known)
            elif line.startswith(_POLICY_SET):
                bundle = json.loads(line)["policy_set"]
                known.texts.setdefault(bundle["manifest"]["digest"], bundle["texts"])
    except (ValueError, KeyError, TypeError, AttributeError, SluisError) as error:
        raise _no_bundle() from error
    if first:
        raise _no_bundle()


def _no_bundle() -> SluisError:
    return SluisError(Code.CONFIG_INVALID, "this is no log bundle; make one with `sluis audit export`")


def cut_decision(leaf: bytes) -> tuple[dict[str, Any], bytes]:
    """An entry whose decision is null, and the bytes of the decision: most of a leaf, and much the same each time.

    Raises ValueError for a leaf that is no JSON, has no decision, or another form than the log writes.
    """
    start = leaf.index(_DECISION) + len(_DECISION)
    end = leaf.index(_AFTER_DECISION, start)
    value: dict[str, Any] = json.loads(leaf[:start] + b"null" + leaf[end:])
    return value, leaf[start:end]


def _past(leaf: bytes) -> Past:
    value, decision = cut_decision(leaf)
    body = value["body"]
    permitted, failing = _decided(decision)
    return Past(
        entry=value["index"],
        exchange=body["exchange"],
        policy_set=body["policy_set"],
        request=request_from_log(body),
        facts=facts_from_log(body["facts"]),
        permitted=permitted,
        failing=failing,
    )


@lru_cache(maxsize=8192)
def _decided(text: bytes) -> tuple[bool, tuple[str, ...]]:
    decision = json.loads(text)
    return decision["effect"] == "permit", tuple(check["id"] for check in decision["checks"] if not check["met"])


def _take_notice(leaf: bytes, history: History) -> None:
    value = json.loads(leaf)
    body, at = value["body"], datetime.fromisoformat(value["sequenced_at"])
    if body["what"] == "policy-suspension":  # disputes and corrections are notices too, and close nothing
        history.notices.setdefault(body["purpose"], {}).setdefault(body["notice"], at)
