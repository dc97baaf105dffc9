"""Reconciliation against the fake broker: each lie about an agency is found, and an honest log fits."""

import base64
import json

import pytest
from desk import QUESTION, Desk
from fake_broker import World
from sluis_client.canonical import canonical_json, parse_canonical
from sluis_client.errors import Exit
from sluis_client.statements import PartyKey
from sluis_client.transport import LogEntry


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    desk = Desk(World(tmp_path), monkeypatch, capsys)
    desk.ready()
    desk.match("--want", "beds")
    return desk


def log(desk):
    return desk.world.broker.log


def body(desk, kind):
    """The newest entry of a kind."""
    found = [parse_canonical(leaf) for leaf in log(desk).leaves]
    return dict([entry["body"] for entry in found if entry["kind"] == kind][-1])


def reconcile(desk, party, *words, expect=0):
    value = desk.json(party, "reconcile", *words, expect=expect)
    return value, [one["code"] for one in value["open"]]


def lies(desk, party, *words):
    return reconcile(desk, party, *words, expect=Exit.VERIFICATION_FAILED)


def key_of(desk, party):
    home = desk.world.directory / party
    return PartyKey((home / "own.pem").read_bytes(), (home / "own.key").read_bytes())


def test_an_honest_log_fits_both_sides_and_is_read_once(desk):
    desk.publish()
    desk.match("--want", "beds", "--new")
    desk.run("snf", "withdraw", "snf/snf-locatie/2026Q4/bag")
    desk.match("--new")
    for party, kinds in (
        ("snf", {"ask": 3, "key": 2, "register": 3, "release": 3}),
        ("utrecht", {"ask": 3, "key": 1, "release": 3}),
    ):
        value, codes = reconcile(desk, party)
        assert (codes, value["kinds"], value["found"]) == ([], kinds, [])
        assert value["next_index"] == len(log(desk).leaves)
        again, _ = reconcile(desk, party)
        assert (again["from_index"], again["entries"]) == (value["next_index"], 0)
        whole, codes = reconcile(desk, party, "--all")
        assert (whole["kinds"], codes) == (kinds, [])
    assert reconcile(desk, "snf", "--all")[0]["asked_by"] == {"utrecht": 3}
    out = desk.run("snf", "reconcile")
    assert "all fits" in out
    assert 'not compared: whether a "no hit" was true' in out
    assert desk.run("snf", "reconcile", "--quiet") == ""


def test_a_question_that_was_never_asked(desk):
    """The broker makes one up; or somebody has the key."""
    invented = body(desk, "ask")
    invented["statement"] = {**invented["statement"], "request_id": "5c4b2b6e-6c1f-4c43-9c43-0a4c0c9d5e11"}
    invented["exchange"] = "5c4b2b6e-6c1f-4c43-9c43-0a4c0c9d5e11"
    first = log(desk).append("ask", invented)
    log(desk).append("release", {**body(desk, "release"), "exchange": invented["exchange"], "ask_index": first})
    value, codes = lies(desk, "utrecht")
    assert codes == ["ASK_NOT_MADE", "RELEASE_NOT_ASKED"]
    assert "did not sign it" in value["open"][0]["text"]
    stolen = key_of(desk, "utrecht").sign(invented["statement"])
    log(desk).append("ask", {**invented, "answerer": "other", "signature": base64.b64encode(stolen.signature).decode()})
    value, codes = lies(desk, "utrecht")
    assert codes == ["ASK_NOT_MADE", "RELEASE_NOT_ASKED", "ASK_NOT_MADE"], "what was found stays open"
    assert "signed with your certificate's key" in value["open"][2]["text"]
    assert reconcile(desk, "snf")[1] == [], "to the answerer it is a question like any other"


def test_a_question_or_a_release_logged_twice_across_runs(desk):
    reconcile(desk, "utrecht")
    log(desk).append("ask", body(desk, "ask"))
    log(desk).append("release", body(desk, "release"))
    assert lies(desk, "utrecht")[1] == ["ASK_TWICE", "RELEASE_TWICE"]
    assert lies(desk, "snf")[1] == ["ASK_TWICE", "RELEASE_TWICE"]
    # another asker may choose the same request id
    other = {"asker": "someren"}
    log(desk).append("ask", {**body(desk, "ask"), **other})
    log(desk).append("release", {**body(desk, "release"), **other})
    assert lies(desk, "snf")[1] == ["ASK_TWICE", "RELEASE_TWICE"], "no more than before"


def manifest(desk, **changes):
    return body(desk, "register")["statement"] | {"version": 9} | changes


def test_a_register_that_was_never_published(desk):
    key = {**body(desk, "key"), "party": "snf", "signature": "", "statement": manifest(desk, rows=1)}
    invented = {**body(desk, "register"), "version": 9, "statement": manifest(desk)}
    log(desk).append("register", invented)
    assert lies(desk, "snf")[1] == ["REGISTER_NOT_PUBLISHED"]
    log(desk).append(
        "register", {"action": "withdrawn", "party": "snf", "register": invented["register"], "version": 9}
    )
    log(desk).append("key", key)
    codes = lies(desk, "snf")[1]
    assert codes == ["REGISTER_NOT_PUBLISHED", "REGISTER_NOT_WITHDRAWN", "KEY_NOT_MADE"]


def test_an_answer_from_a_register_that_was_never_published(desk):
    named = {"name": "snf/snf-locatie/2026Q4/bag", "version": 4, "manifest": "ab" * 32}
    log(desk).append("ask", {**body(desk, "ask"), "exchange": "other", "register": named})
    log(desk).append("release", {**body(desk, "release"), "exchange": "other", "register": named})
    value, codes = lies(desk, "snf")
    assert codes == ["ANSWERED_FROM_UNKNOWN_REGISTER"] * 2
    assert "utrecht was answered from snf/snf-locatie/2026Q4/bag version 4" in value["open"][0]["text"]


def test_an_answer_from_a_register_that_was_replaced_or_withdrawn(desk):
    old = body(desk, "ask")
    desk.publish()
    log(desk).append("ask", {**old, "exchange": "one"})
    desk.match("--new")
    newer = body(desk, "ask")
    desk.run("snf", "withdraw", "snf/snf-locatie/2026Q4/bag")
    log(desk).append("release", {**body(desk, "release"), "exchange": "late"})  # pinned before: fits
    log(desk).append("ask", {**newer, "exchange": "two"})
    _value, codes = lies(desk, "snf")
    assert codes == ["ANSWERED_FROM_OLD_REGISTER"] * 2


def test_an_entry_that_is_left_out_of_the_list(desk):
    def hide(transport):
        transport.bend["entries"] = lambda page: (
            tuple(one for one in page[0] if parse_canonical(one.leaf)["kind"] != "release"),
            page[1],
        )

    desk.plan = [hide]
    assert lies(desk, "utrecht")[1] == ["ENTRY_HIDDEN"]
    desk.run("snf", "receipts", "fetch", "--out", "mine.json")
    desk.plan = [hide]
    assert lies(desk, "snf")[1] == ["ENTRY_HIDDEN"], "the receipts it fetched are its memory"


def test_an_entry_that_the_log_does_not_hold_any_more(desk):
    """A log that the broker has since replaced: a client that lost its checkpoint still has the receipt."""
    desk.run("utrecht", "receipts", "fetch", "--out", "mine.json")
    leaves = log(desk).leaves
    leaves[-1] = leaves[-1].replace(b'"answerer":"snf"', b'"answerer":"sna"')
    (desk.world.directory / "utrecht" / "state" / "checkpoint").unlink()
    codes = lies(desk, "utrecht", "--receipts", "mine.json")[1]
    assert "ENTRY_MISSING" in codes
    (desk.world.directory / "utrecht" / "state" / "reconciled.json").unlink()
    assert "ENTRY_MISSING" in lies(desk, "utrecht")[1]


def test_an_entry_listed_that_is_not_in_the_log(desk):
    entry = {"body": {**body(desk, "ask"), "asker": "someren"}, "index": 2, "kind": "ask", "sequenced_at": "x", "v": 1}
    bent = [
        LogEntry(2, canonical_json(entry)),
        LogEntry(2, b"{}"),
        LogEntry(2, b"\xff"),
        LogEntry(2, canonical_json({**entry, "index": 3})),
    ]
    for one in bent:
        desk.plan = [lambda t, one=one: t.bend.update(entries=lambda page: ((one,), 9) if page[0] else page)]
        assert "ENTRY_UNPROVEN" in lies(desk, "snf", "--all")[1]


def test_an_entry_without_the_members_of_its_kind(desk):
    log(desk).append("release", {"asker": "utrecht", "exchange": "\x1b[31m"})
    _value, codes = lies(desk, "utrecht")
    assert codes == ["ENTRY_FORM"]


def test_an_answer_that_was_never_received_is_to_be_looked_at(desk):
    exchange = "0d0b0c0a-6c1f-4c43-9c43-0a4c0c9d5e11"
    desk.plan = [lambda t: t.lose.update(match=[t_error()])]
    desk.match("--new", "--request-id", exchange, expect=Exit.BROKER_UNREACHABLE)
    value, codes = reconcile(desk, "utrecht")
    assert codes == []
    assert [(one["code"], one["grave"]) for one in value["found"]] == [("ANSWER_NOT_RECEIVED", False)]
    assert exchange in value["found"][0]["text"]


def t_error():
    from fake_broker import unreachable

    return unreachable()


def test_repeats_of_own_questions_fit_and_of_others_do_not(desk):
    log(desk).append(
        "access", {"party": "utrecht", "what": "answer-repeated", "exchange": body(desk, "ask")["exchange"]}
    )
    assert reconcile(desk, "utrecht")[1] == []
    log(desk).append("access", {"party": "utrecht", "what": "answer-repeated", "exchange": "another"})
    assert lies(desk, "utrecht")[1] == ["REPEAT_NOT_ASKED"]


def test_what_is_explained_is_accepted_and_stays_so(desk):
    log(desk).append("ask", body(desk, "ask"))
    (found,) = lies(desk, "utrecht")[0]["open"]
    index = str(found["index"])
    desk.run("utrecht", "reconcile", "--accept", index, expect=Exit.USAGE)
    desk.run("utrecht", "reconcile", "--accept", "1", "--because", "x", expect=Exit.USAGE)
    assert "nothing about entry 1 is open" in desk.err
    out = desk.run("utrecht", "reconcile", "--accept", index, "--because", "the operator's test, ticket 12")
    assert out == f"accepted: entry {index} ASK_TWICE\n"
    assert reconcile(desk, "utrecht", "--all")[1] == []
    assert "(1 accepted before)" in desk.run("utrecht", "reconcile")


def test_another_machine_of_the_same_agency(desk):
    """Two state directories, one certificate: each other's journal explains what the one did not do."""
    profile = desk.world.directory / "utrecht" / "sluis-client.yaml"
    second = desk.world.directory / "utrecht" / "second.yaml"
    second.write_text(profile.read_text().replace("state: state", "state: state-2"))
    found = json.loads(desk.run("", "reconcile", "--json", "--profile", str(second), expect=6))["open"]
    assert [one["code"] for one in found] == ["KEY_NOT_MADE", "ASK_NOT_MADE", "RELEASE_NOT_ASKED"]
    (desk.world.directory / "utrecht" / "state-2" / "reconciled.json").unlink()
    words = ("--journal", "utrecht/state/journal.jsonl", "--profile", str(second), "--json", "--all")
    assert json.loads(desk.run("", "reconcile", *words))["fits"]


def test_a_state_directory_from_before_the_journal(desk):
    """What stands before the journal began is told as not compared; what comes after is."""
    for party in ("utrecht", "snf"):
        (desk.world.directory / party / "state" / "journal.jsonl").unlink()
    desk.run("snf", "log", "checkpoint")
    value, codes = reconcile(desk, "snf")
    assert (codes, value["before_journal"], value["entries"]) == ([], 5, 5)
    desk.match("--new")
    desk.run("snf", "withdraw", "snf/snf-locatie/2026Q4/bag")
    assert reconcile(desk, "snf")[1] == []
    assert reconcile(desk, "utrecht")[1] == []


@pytest.mark.parametrize("damage", ["{", "{}", '{"next_index":"x","in_force":{},"older":[],"withdrawn":{},"open":[]}'])
def test_a_damaged_memory_names_the_next_step(desk, damage):
    reconcile(desk, "snf")
    (desk.world.directory / "snf" / "state" / "reconciled.json").write_text(damage)
    desk.run("snf", "reconcile", expect=Exit.KEY_TROUBLE)
    assert desk.err.startswith("error STATE_UNREADABLE: ")
    assert "reconciled.json is damaged" in desk.err


def test_every_statement_is_in_the_journal_before_it_is_sent(desk):
    """Whatever becomes of the call: the line is there."""
    for method, words in (
        ("match", ("utrecht", "match", "addresses.csv", *QUESTION, "--out", "a.csv", "--new")),
        ("publish_encryption_key", ("snf", "keys", "init", "--renew")),
        ("seal", None),
    ):
        party = "utrecht" if method == "match" else "snf"
        path = desk.world.directory / party / "state" / "journal.jsonl"
        seen = []
        before = path.read_bytes()

        def look(transport, method=method, path=path, seen=seen):
            real = getattr(transport, method)

            def spy(*given, **more):
                seen.append(path.read_bytes())
                return real(*given, **more)

            setattr(transport, method, spy)

        desk.plan = [look]
        if words is None:
            desk.publish()
        else:
            desk.run(*words)
        assert seen[0] != before
        assert seen[0].startswith(before)
        assert json.loads(seen[0].splitlines()[-1])["what"] == "signed"
