"""What each kind of entry demands of the log around it: the verifier's rules, by what they are about, put together.

`broker.audit.verify` reads the bundle and the tree; what an entry means is checked here.
"""

from __future__ import annotations

from collections import Counter

from broker.audit.accesses import Accesses
from broker.audit.callers import Callers
from broker.audit.canaries import Canaries
from broker.audit.closing import Closing
from broker.audit.commitments import Commitments
from broker.audit.continuity import Continuity
from broker.audit.counting import Counting
from broker.audit.entries import LogEntry, read_time
from broker.audit.epoch_keys import EpochKeys
from broker.audit.erasures import Erased, Erasures
from broker.audit.evaluations import Evaluations
from broker.audit.exchanges import Exchanges, is_fresh
from broker.audit.explained import Explanations
from broker.audit.findings import Code, Findings
from broker.audit.live_answers import LiveAnswers
from broker.audit.policies import Policies
from broker.audit.preceding import Preceding
from broker.audit.rectifications import Rectifications
from broker.audit.registers import Registers
from broker.audit.releases import Releases
from broker.audit.replay import Replayed, replay
from broker.audit.standing import Standing
from broker.audit.statement_forms import StatementForms
from broker.audit.subject_searches import SubjectSearches
from broker.audit.trust import Trust


class EntryRules:
    """The rules over one log, entry by entry in its order. What is wrong goes to `findings`."""

    def __init__(self, trust: Trust, findings: Findings, preceding: Preceding | None) -> None:
        self._trust = trust
        self._findings = findings
        forms = StatementForms(trust, findings)
        self.policies = Policies(trust, findings)
        self._callers = Callers(trust, findings, self.policies)
        self._closing = Closing(trust, findings, self.policies)
        self._keys = EpochKeys(forms, findings, self.policies)
        self._registers = Registers(forms, findings, self.policies, self._keys)
        standing = Standing()
        self.releases = Releases(findings, self._registers, standing)
        self._counting = Counting(findings)
        self._evaluations = Evaluations(findings, self.policies, self._closing, self._counting, self._keys)
        self._exchanges = Exchanges(
            forms, findings, self._keys, self._registers, self.releases, self._counting, standing
        )
        self.continuity = Continuity(trust, findings, self.releases, self._counting, self._closing, preceding)
        self._subject_searches = SubjectSearches(trust, findings, self.policies, self._keys)
        self._accesses = Accesses(findings, self.policies, self._exchanges)
        self._rectifications = Rectifications(trust, findings, self.policies)
        self._erasures = Erasures(trust, findings, self.policies)
        self._explanations = Explanations(trust, findings)
        self._canaries = Canaries(trust, findings, self.policies, self._keys)
        self._live_answers = LiveAnswers(trust, findings, self.policies, self.releases)
        self.replayed: Counter[Replayed] = Counter()
        self.erased = Erased(Commitments().rows())
        """What was erased, for a vault export's check; known at the end of the log."""
        self._read = b""
        """The bytes of the entry that is being checked."""

    def end_batch(self) -> None:
        """A checkpoint stands here: what must be whole within a batch is."""
        self._exchanges.end_batch()
        self.releases.end_batch()
        self._rectifications.settle()

    def settle(self) -> None:
        """The log ends here: what was still due is missing."""
        self._exchanges.end_batch()
        self._closing.settle()
        self._rectifications.settle()
        self.continuity.settle()
        self.erased = self._erasures.settle()

    def entry(self, entry: LogEntry, leaf: bytes) -> None:
        """What the entry's kind demands. Kinds that are not listed demand their form only."""
        self._read = leaf
        self.continuity.entry(entry)
        if entry.kind not in ("ask", "evaluation"):
            self._closing.settle()
        self.releases.passed(entry.at)
        if entry.kind != "notice" or entry.body["what"] not in ("correction-notice", "correction-blank"):
            self._rectifications.settle()
        checks = {
            "genesis": self._genesis,
            "policy": self.policies.put_in_force,
            "party": self._callers.learn,
            "key": self._key,
            "register": self._register,
            "ask": self._ask,
            "release": self._release,
            "evaluation": self._evaluation,
            "access": self._access,
            "notice": self._notice,
            "correction": self._correction,
            "outcome": self._outcome,
            "config": self._config,
            "recovery": self.continuity.recovery,
            "seal": self.continuity.seal,
            "erasure": self._erasure,
        }
        check = checks.get(entry.kind)
        if check is not None:
            check(entry)

    def _config(self, entry: LogEntry) -> None:
        if entry.body["what"].startswith("legal-hold-"):
            self._erasures.config(entry)
        elif entry.body["what"] == "service-key-destroyed":
            self._evaluations.destroyed(entry)
        else:
            self.continuity.config(entry)

    def _key(self, entry: LogEntry) -> None:
        self._callers.check(entry, entry.body["party"])
        self._keys.entry(entry)

    def _register(self, entry: LogEntry) -> None:
        if entry.body["action"] == "published":
            self._callers.check(entry, entry.body["party"])
        self._registers.entry(entry)

    def _access(self, entry: LogEntry) -> None:
        if entry.body["what"] == "subject-search":
            self._callers.check(entry, entry.body["party"])
            self._subject_searches.entry(entry)
            self._explanations.search(entry)
        self._accesses.entry(entry)

    def _ask(self, entry: LogEntry) -> None:
        self._callers.check(entry, entry.body["asker"])
        self._subject_searches.ask(entry)
        self._rectifications.ask(entry)
        self._explanations.ask(entry)
        archived = self.policies.decided_under(entry)
        policies = archived.policy_set if archived else None
        self._exchanges.ask(entry, policies)
        self._closing.ask(entry, policies)
        self._erasures.ask(entry, policies)
        self._check_decision(entry, replay(archived, entry.body, leaf=self._read))

    def _erasure(self, entry: LogEntry) -> None:
        self._erasures.erasure(entry)
        self._counting.erased(entry)
        self._canaries.erasure(entry)

    def _release(self, entry: LogEntry) -> None:
        ask = self.releases.waiting(entry.body["ask_index"])
        closed = ask is not None and self._closing.is_closed(ask.purpose, ask.asker)
        if closed and entry.body["outcome"] == "authorised":
            self._findings.add(Code.RELEASE_CLOSED, index=entry.index)
        self._canaries.released(entry, ask)
        self.releases.release(entry, closed=closed)
        self._rectifications.release(entry)
        self._erasures.release(entry)

    def _notice(self, entry: LogEntry) -> None:
        signers = {"dispute-notice": "asker", "acknowledged": "party", "unusual-use": "party", "canaries": "party"}
        signers["live-answer"] = "party"
        what = entry.body["what"]
        if what == "policy-suspension":
            self._closing.notice(entry)
            return
        if what in signers:
            self._callers.check(entry, entry.body[signers[what]])
        if what == "unusual-use":
            self._explanations.notice(entry)
            return
        if what == "canary":
            self._canaries.met(entry, self.releases.waiting(entry.body["ask_index"]))
            return
        if what == "live-answer":
            self._live_answers.entry(entry)
            return
        if what == "canaries":
            self._canaries.list(entry)
            self._erasures.rectification(entry)
            return
        self._rectifications.notice(entry)
        self._erasures.rectification(entry)

    def _correction(self, entry: LogEntry) -> None:
        self._callers.check(entry, entry.body["answerer"])
        self._rectifications.correction(entry)
        self._erasures.rectification(entry)

    def _outcome(self, entry: LogEntry) -> None:
        self._callers.check(entry, entry.body["asker"])
        self._rectifications.outcome(entry)
        self._erasures.rectification(entry)

    def _evaluation(self, entry: LogEntry) -> None:
        if not is_fresh(entry, read_time(entry.body["decided_at"])):
            self._findings.add(Code.DECIDED_AT, index=entry.index)
        if "shadow_of" not in entry.body:
            self._closing.settle()
            if "key_service" in entry.body:
                self._evaluations.entry(entry)
            return
        ask = self._closing.shadow(entry)
        if ask is not None:
            archived = self.policies.decided_under(entry)
            self._check_decision(entry, replay(archived, ask, shadow=entry.body, leaf=self._read))

    def _genesis(self, entry: LogEntry) -> None:
        body = entry.body
        if body["origin"] != self._trust.origin:
            self._findings.add(Code.ORIGIN, index=entry.index)
        if body["environment"] != self._trust.environment:
            self._findings.add(Code.ENVIRONMENT, index=entry.index)
        if body["verifier_key"] not in self._trust.log_key_texts:
            self._findings.add(Code.LOG_KEY, index=entry.index)
        self.continuity.genesis(entry)

    def _check_decision(self, entry: LogEntry, replayed: tuple[Replayed, str]) -> None:
        if entry.body["engine"] not in self._trust.engines:
            self._findings.add(Code.ENGINE_UNTRUSTED, index=entry.index)
        outcome, why = replayed
        self.replayed[outcome] += 1
        if outcome is Replayed.DIFFERS:
            self._findings.add(Code.REPLAY_DIFFERS, why, index=entry.index)
        elif outcome is Replayed.NOT_REPLAYABLE:
            self._findings.add(Code.NOT_REPLAYABLE, why, index=entry.index)
