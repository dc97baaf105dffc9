"""The ask gate: one entry an answerer, debits only for what is permitted, and nothing at all under a wrong key."""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from world import policy_texts

from broker.asking import LEASE, POLICY_STATE, AskGate, policy_state
from broker.canonical import canonical_json, commitment
from broker.errors import Code, SluisError
from broker.exchange import (
    AnswerStatus,
    AskStatement,
    ExchangeState,
    PseudonymColumn,
    Question,
    RegisterManifest,
    RegisterVersion,
)
from broker.exchange_log.entry_kinds import check_body
from broker.matching.release import tokens_value
from broker.parties import Caller, Environment, Oin, PartyKind
from broker.policy.bundle import policy_set_from_texts
from broker.questions import (
    Asked,
    Opened,
    Posed,
    counts_counter,
    register_reference,
    requests_counter,
    statement_digest,
)
from broker.statements import Scope, Signed, read_ask

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SCOPE = Scope("sluis.example/test-2026", Environment.TEST)
POLICIES = policy_set_from_texts(policy_texts())
GATE = AskGate(lambda: POLICIES, SCOPE)
KEY_ID = "0f" * 16
SALT = b"s" * 32
HIT = {"hit": True, "count": False, "attributes": ["certificate-status"]}
COUNT = {"hit": False, "count": True, "attributes": []}


class Tx:
    """A transaction in memory; what it is asked to write is what the test looks at."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any]]] = []
        self.counters: Counter[str] = Counter()
        self.vault: dict[str, tuple[bytes, bytes, datetime]] = {}
        self.states: list[ExchangeState] = []
        self.known: list[RegisterVersion] = []
        state = policy_state(POLICIES.digest, POLICIES.revision)
        self.documents: dict[tuple[str, str], bytes] = {POLICY_STATE: state}
        self.counted: tuple[str, ...] = ()

    def append(self, kind: str, body: Mapping[str, Any]) -> int:
        check_body(kind, body)
        canonical_json(body)
        self.entries.append((kind, dict(body)))
        return 100 + len(self.entries) - 1

    def commit_to(
        self,
        label: str,
        value: bytes,
        *,
        keep_until: datetime,
        salt: bytes | None = None,
        ask_index: int | None = None,
    ) -> str:
        assert salt is not None
        assert ask_index is not None, "every slot belongs to an exchange"
        made = commitment(label, salt, value)
        self.vault[made] = (salt, value, keep_until)
        return made

    def opening(self, one: str) -> tuple[bytes, bytes] | None:
        return self.vault[one][:2] if one in self.vault else None

    def spent(self, counter: str) -> int:
        return self.counters[counter]

    @property
    def budgets(self) -> Counter[str]:
        """All counters but the bound on entries."""
        return Counter({name: spent for name, spent in self.counters.items() if not name.startswith("asks/")})

    def debit(self, counter: str, amount: int) -> int:
        self.counters[counter] += amount
        return self.counters[counter]

    def open_exchange(self, state: ExchangeState) -> None:
        self.states.append(state)

    def questions_with_count(self, *_: str) -> tuple[str, ...]:
        return self.counted

    def register(self, name: str) -> RegisterVersion | None:
        return next((one for one in self.known if one.name == name), None)

    def registers(self, answerer: str, purpose: str, epoch: str) -> tuple[RegisterVersion, ...]:
        return tuple(one for one in self.known if one.name.startswith(f"{answerer}/{purpose}/{epoch}/"))

    def document(self, kind: str, key: str) -> bytes | None:
        return self.documents.get((kind, key))

    def epoch(self, purpose: str, key_id: str = KEY_ID) -> None:
        manifest = {
            "type": "sluis/v1/epoch",
            "origin": SCOPE.origin,
            "environment": "test",
            "created_at": "2026-11-20T00:00:00Z",
            "epoch": "2026Q4",
            "key_id": key_id,
            "mode": "keyed",
            "purpose": purpose,
            "recipients": {"snf": {"key": "1" * 32, "envelope": "2" * 32}},
            "steward": "snf",
            "valid_from": "2026-09-30T22:00:00Z",
            "valid_until": "2026-12-31T23:00:00Z",
        }
        record = {"statement": base64.b64encode(canonical_json(manifest)).decode(), "signature": ""}
        self.documents["epoch", f"{purpose}/2026Q4"] = json.dumps(record).encode()


def question_of(rows: int = 12) -> Question:
    pseudonyms = np.frombuffer(os.urandom(16 * rows), dtype="V16")
    return Question((PseudonymColumn(pseudonyms, np.ones(rows, dtype=np.bool_)),))


def posed(question: Question, openings: Opened | None = None, **changes: Any) -> Posed:
    members: dict[str, Any] = {
        "type": "sluis/v1/ask",
        "origin": SCOPE.origin,
        "environment": "test",
        "answerers": ["snf"],
        "asker": "utrecht",
        "case_number": None,
        "cooperation_ref": None,
        "epoch": "2026Q4",
        "key_id": KEY_ID,
        "match_keys": 1,
        "not_after": "2026-11-23T10:10:00Z",
        "principal": None,
        "purpose": "snf-locatie",
        "request_id": "11111111-1111-4111-8111-111111111111",
        "scheme": "bag",
        "subjects": question.rows,
        "tokens": commitment("tokens", SALT, tokens_value(question)),
        "want": HIT,
    }
    statement: AskStatement = read_ask(Signed(canonical_json({**members, **changes}), b"signature"), SCOPE)
    oin = Oin(POLICIES.catalogue.parties[statement.asker].oin)
    caller = Caller(statement.asker, oin, PartyKind.PUBLIC, b"", "c" * 64)
    nonces = dict.fromkeys(statement.answerers, "ab" * 16)
    return Posed(caller, statement, openings or Opened(SALT), question, None, NOW, nonces)


def register(name: str = "snf/snf-locatie/2026Q4/bag", **changes: Any) -> RegisterVersion:
    answerer, purpose, epoch, scheme = name.split("/")
    members: dict[str, Any] = {
        "raw": b"{}",
        "signature": b"",
        "answerer": answerer,
        "purpose": purpose,
        "epoch": epoch,
        "key_id": KEY_ID,
        "scheme": scheme,
        "match_keys": 1,
        "attributes": ("certificate-status",),
        "version": 3,
        "rows": 5,
        "digest": "0" * 64,
        "as_of": NOW,
        "expires_at": NOW + timedelta(days=1),
        "coverage": "all",
        "rules": {},
    }
    withdrawn = changes.pop("withdrawn", False)
    return RegisterVersion(name, 3, RegisterManifest(**{**members, **changes}), NOW, withdrawn)


@pytest.fixture
def tx() -> Tx:
    made = Tx()
    made.epoch("snf-locatie")
    made.epoch("bezetting")
    return made


def ask(tx: Tx, question: Posed) -> Asked:
    return GATE.open(tx, question)


def test_a_permitted_ask_is_one_entry_one_debit_and_a_kept_question(tx: Tx) -> None:
    tx.known = [register()]
    question = question_of()
    one = posed(question)
    (asked,) = ask(tx, one).asks
    assert asked.decision.permitted
    assert (asked.register, asked.unanswerable) == (tx.known[0], None)
    ((kind, body),) = tx.entries
    assert kind == "ask"
    assert body["statement"] == json.loads(one.statement.raw)
    assert body["decision"]["effect"] == "permit"
    assert body["policy_set"] == POLICIES.digest
    assert body["certificate"] == "c" * 64
    assert body["register"] == register_reference(tx.known[0])
    assert tx.budgets == {requests_counter("utrecht", "snf-locatie", NOW): 1}
    ((made, (salt, value, keep_until)),) = tx.vault.items()
    assert (made, salt, value) == (one.statement.tokens, SALT, tokens_value(question))
    assert keep_until == NOW + timedelta(days=730)
    (state,) = tx.states
    assert (state.ask_index, state.lease_until, state.status) == (100, NOW + LEASE, None)
    assert state.statement_digest == statement_digest(one.statement)


def test_a_denied_ask_is_an_entry_and_nothing_else(tx: Tx) -> None:
    tx.known = [register()]
    (asked,) = ask(tx, posed(question_of(), want={**HIT, "attributes": ["naam"]})).asks
    assert not asked.decision.permitted
    assert [kind for kind, _ in tx.entries] == ["ask"]
    assert tx.states[0].status is AnswerStatus.DENIED
    assert not tx.budgets
    assert not tx.vault


def test_an_unknown_purpose_is_denied_and_logged(tx: Tx) -> None:
    (asked,) = ask(tx, posed(question_of(), purpose="no-such-purpose")).asks
    assert not asked.decision.permitted
    assert tx.entries[0][1]["decision"]["effect"] == "deny"
    assert not tx.budgets


def test_several_answerers_are_decided_one_by_one_and_debited_once() -> None:
    tx = Tx()
    tx.epoch("nla-verzoek-onderneming")
    number = b"NLA-2026-1234"
    openings = Opened(SALT, case_number=(SALT, number))
    one = posed(
        question_of(),
        openings,
        purpose="nla-verzoek-onderneming",
        asker="nla",
        answerers=["snf", "svb", "uwv"],
        scheme="kvk",
        want={"hit": True, "count": False, "attributes": []},
        case_number=commitment("case-number", SALT, number),
    )
    asks = ask(tx, one).asks
    assert [(one.state.answerer, one.decision.permitted) for one in asks] == [
        ("snf", False),
        ("svb", True),
        ("uwv", True),
    ]
    assert [body["answerer"] for _, body in tx.entries] == ["snf", "svb", "uwv"]
    assert tx.budgets == {requests_counter("nla", "nla-verzoek-onderneming", NOW): 1}
    assert set(tx.vault) == {one.statement.tokens, one.statement.case_number}
    assert number.decode() not in json.dumps([body for _, body in tx.entries])


@pytest.mark.parametrize("number", ["999993653", "NLA-999993653", "anything"])
def test_a_case_number_of_another_form_is_denied_and_not_logged(number: str) -> None:
    tx = Tx()
    tx.epoch("nla-verzoek-onderneming")
    one = posed(
        question_of(),
        Opened(SALT, case_number=(SALT, number.encode())),
        purpose="nla-verzoek-onderneming",
        asker="nla",
        answerers=["uwv"],
        scheme="kvk",
        want={"hit": True, "count": False, "attributes": []},
        case_number=commitment("case-number", SALT, number.encode()),
    )
    (asked,) = ask(tx, one).asks
    assert [check.id for check in asked.decision.checks if not check.met] == ["case-number"]
    assert number not in json.dumps(tx.entries[0][1])
    assert not tx.vault


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ([], AnswerStatus.NO_REGISTER),
        ([register(withdrawn=True)], AnswerStatus.NO_REGISTER),
        ([register(expires_at=NOW)], AnswerStatus.EXPIRED),
        ([register("snf/snf-locatie/2026Q4/postcode-number")], AnswerStatus.NOT_COVERED),
        ([register(withdrawn=True), register("snf/snf-locatie/2026Q4/postcode-number")], AnswerStatus.NOT_COVERED),
        ([register("snf/snf-locatie/2026Q3/bag")], AnswerStatus.NO_REGISTER),
        ([register(expires_at=NOW + timedelta(microseconds=1))], None),
        ([register(attributes=())], AnswerStatus.NOT_COVERED),
        ([register(attributes=("beds",))], AnswerStatus.NOT_COVERED),
        ([register(attributes=("beds", "certificate-status"))], None),
    ],
)
def test_why_there_is_nothing_to_match_against(tx: Tx, known: list[RegisterVersion], status: AnswerStatus) -> None:
    tx.known = known
    (asked,) = ask(tx, posed(question_of())).asks
    assert asked.decision.permitted
    assert asked.unanswerable is status


def test_a_question_under_no_key_or_another_is_an_error_and_never_a_no_hit(tx: Tx) -> None:
    tx.known = [register()]
    for key_id, code in ((KEY_ID, Code.EPOCH_UNKNOWN), ("00" * 16, Code.KEY_ID_WRONG)):
        if code is Code.EPOCH_UNKNOWN:
            stored = tx.documents.pop(("epoch", "snf-locatie/2026Q4"))
        with pytest.raises(SluisError) as caught:
            ask(tx, posed(question_of(), key_id=key_id))
        assert caught.value.code is code
        assert not tx.budgets
        assert not tx.vault
        tx.documents["epoch", "snf-locatie/2026Q4"] = stored


def test_the_days_budget_ends_in_a_denial_without_a_debit(tx: Tx) -> None:
    counter = requests_counter("utrecht", "snf-locatie", NOW)
    limit = POLICIES.purposes["snf-locatie"].limits.requests_per_day
    tx.counters[counter] = limit - 1
    assert ask(tx, posed(question_of())).asks[0].decision.permitted
    (asked,) = ask(tx, posed(question_of())).asks
    assert [check.id for check in asked.decision.checks if not check.met] == ["requests-per-day"]
    assert tx.counters[counter] == limit


def test_counts_are_debited_per_answerer_and_epoch_and_kept_apart(tx: Tx) -> None:
    first = question_of(12)
    one = posed(first, purpose="bezetting", want=COUNT)
    (asked,) = ask(tx, one).asks
    assert asked.decision.permitted
    assert asked.state.counted
    assert tx.counters[counts_counter("utrecht", "snf", "bezetting", "2026Q4")] == 1
    tx.counted = (one.statement.tokens,)
    (column,) = first.columns
    nearly = Question((PseudonymColumn(column.pseudonyms[:-1], column.present[:-1]),))
    (asked,) = ask(tx, posed(nearly, purpose="bezetting", want=COUNT)).asks
    assert [check.id for check in asked.decision.checks if not check.met] == ["count-distance"]
    (asked,) = ask(tx, posed(question_of(12), purpose="bezetting", want=COUNT)).asks
    assert asked.decision.permitted


def test_the_same_count_again_is_a_difference_of_nobody(tx: Tx) -> None:
    one = posed(question_of(12), purpose="bezetting", want=COUNT)
    ask(tx, one)
    tx.counted = (one.statement.tokens,)
    (asked,) = ask(tx, posed(one.question, purpose="bezetting", want=COUNT)).asks
    assert not asked.decision.permitted


def test_names_of_counters_follow_the_day_in_amsterdam() -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert requests_counter("a", "p", late) == "requests/a/p/2026-11-24"


def test_openings_do_not_print() -> None:
    assert repr(Opened(SALT, (SALT, b"NLA-2026-1234"))) == "Opened()"
