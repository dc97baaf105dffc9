"""The command line against the fake broker: what it prints, writes and exits with."""

import csv
import io
import json

import pytest
from desk import BAGS, LOCATIONS, QUESTION, Desk
from fake_broker import World, refused, unreachable
from sluis_client import cli
from sluis_client.errors import Exit
from sluis_client.profile import load_profile
from sluis_client.transport import Check


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    return Desk(World(tmp_path), monkeypatch, capsys)


@pytest.fixture
def ready(desk):
    desk.ready()
    return desk


def answers(desk, delimiter=";"):
    data = (desk.world.directory / "answers.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def commands():
    import typer

    def walk(group, path):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, [*path, name])
            else:
                yield [*path, name]

    return list(walk(typer.main.get_command(cli.app), []))


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_help_has_an_example_and_json(desk, command):
    text = desk.run("", *command, "--help")
    assert f"Example: sluis-client {' '.join(command)}" in text
    assert "--json" in text
    assert "--profile" in text or command == ["init"]


def test_the_root_help_tells_the_exit_codes(desk):
    text = " ".join(desk.run("", "--help").split())
    for number in range(9):
        assert f"{number} " in text
    assert desk.run("", "--version").startswith("sluis-client ")


def test_a_profile_is_written_once(desk):
    directory = desk.world.directory
    desk.run("", "init", "new.yaml", "--set", "party=someren", "--set", "log_keys=a,b")
    text = (directory / "new.yaml").read_text()
    assert "\nparty: someren\n" in text
    assert "\nlog_keys: [a, b]\n" in text
    desk.run("", "init", "new.yaml", expect=Exit.USAGE)
    assert desk.err.startswith("error PROFILE_EXISTS: ")
    assert desk.json("", "init", "new.yaml", "--force") == {"profile": "new.yaml"}
    desk.run("", "init", "other.yaml", "--set", "prty=x", expect=Exit.USAGE)
    assert "did you mean party?" in desk.err


def test_keys_are_made_shared_and_shown_by_name_only(desk):
    desk.run("snf", "keys", "init")
    out = desk.run("snf", "keys", "create", "--purpose", "snf-locatie")
    assert "sealed to snf" in out
    assert "no encryption key yet: someren, utrecht" in desk.err
    desk.run("utrecht", "keys", "init")
    desk.run("snf", "keys", "create", "--purpose", "snf-locatie")
    fetched = desk.json("utrecht", "keys", "fetch", "--purpose", "snf-locatie")
    shown = desk.json("utrecht", "keys", "show")
    assert shown["keys"] == [fetched]
    assert set(fetched) == {"purpose", "epoch", "key_id", "steward", "valid_from", "valid_until"}
    state = load_profile(desk.world.directory / "utrecht" / "sluis-client.yaml").state
    secret = json.loads(next((state / "epochs").iterdir()).read_text())["key"]
    assert secret not in desk.run("utrecht", "keys", "show") + json.dumps(shown)
    assert "nothing changed" in desk.run("snf", "keys", "create", "--purpose", "snf-locatie")


def test_publish_reports_rows_and_never_their_values(desk):
    desk.ready()
    text = LOCATIONS + "geheim123;4;geldig\n0344010000000099;veel;geldig\n" + f"{BAGS[0]};0;geldig\n"
    (desk.world.directory / "locations.csv").write_text(text, encoding="utf-8")
    out = desk.publish()
    assert "snf/snf-locatie/" in out
    assert "version 2 is in force" in out
    assert "2 of 23 rows cannot be used" in desk.err
    assert "row 22: BAG: " in desk.err
    assert "row 23: Bedden: not a whole number" in desk.err
    assert "1 duplicate row(s)" in desk.err
    assert "geheim123" not in out + desk.err
    assert "veel" not in out + desk.err
    value = desk.publish(as_json=True)
    assert (value["rows"], value["duplicates"], value["attributes"]) == (20, 1, ["beds", "certificate-status"])
    assert [problem["row"] for problem in value["problems"]] == [22, 23]
    desk.publish("--strict", expect=Exit.REFUSED_ROWS)
    assert desk.err.startswith("error ROWS_REFUSED: 1 row cannot be used")


def test_a_killed_publish_goes_on(desk, monkeypatch):
    desk.ready()
    monkeypatch.setattr("sluis_client.publish.rows_per_message", lambda _: 8)
    monkeypatch.setattr("time.sleep", lambda _: None)

    def killed(transport):
        transport.cut_after = [1]
        transport.fail["upload"] = [unreachable()]

    desk.plan = [killed]
    desk.publish("--coverage", "other", expect=Exit.BROKER_UNREACHABLE)
    out = desk.publish("--coverage", "other")
    assert "8 rows had been uploaded before" in desk.err
    assert "version 2 is in force" in out


def test_registers_are_listed_and_withdrawn(ready):
    (register,) = ready.json("snf", "registers", "list")["registers"]
    assert (register["state"], register["rows"]) == ("PUBLISHED", 20)
    assert register["name"] in ready.run("snf", "registers", "list")
    assert "is withdrawn" in ready.run("snf", "withdraw", register["name"])
    assert ready.json("snf", "registers", "list") == {"registers": []}
    ready.match()
    assert {line["status"] for line in answers(ready)} == {"no register", "invalid input"}


def test_a_match_writes_answers_and_receipts(ready):
    out = ready.match("--want", "beds,certificate-status")
    assert "snf: 10 hits" in out
    assert "1 of 21 rows cannot be used" in ready.err
    lines = answers(ready)
    assert [line["status"] for line in lines] == ["hit"] * 10 + ["no hit"] * 10 + ["invalid input"]
    assert [line["beds"] for line in lines[:10]] == [str(n) for n in range(10, 20)]
    assert {line["certificate-status"] for line in lines[:10]} == {"valid"}
    assert {line["coverage"] for line in lines} == {"all locations"}
    written = [ready.world.directory / name for name in ("answers.csv", "answers.csv.receipts.json")]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in written)
    for bag in BAGS:
        assert bag not in out + ready.err + "".join(path.read_text() for path in written)


def test_a_match_as_json_tells_the_same(ready):
    value = ready.match("--want", "beds", "--keep-columns", "naam", "--delimiter", ",", as_json=True)
    (answer,) = value["answers"]
    assert (answer["status"], answer["hits"], answer["rows"]) == ("ANSWERED", 10, {"hit": 10})
    assert answer["register"]["coverage"] == "all locations"
    assert [problem["row"] for problem in value["problems"]] == [22]
    assert [line["naam"] for line in answers(ready, ",")][:2] == ["n0", "n1"]


def test_a_file_of_one_column_gives_answers_with_commas(ready):
    (ready.world.directory / "addresses.csv").write_text("bag\n" + "\n".join(BAGS), encoding="utf-8")
    ready.match()
    assert [line["status"] for line in answers(ready, ",")] == ["hit"] * 20 + ["no hit"] * 10


def test_hits_and_counts(ready):
    ready.match()
    assert "beds" not in answers(ready)[0]
    out = ready.match("--count")
    assert "count 10" in out
    assert answers(ready) == [
        {
            "answerer": "snf",
            "status": "answered",
            "subjects": "20",
            "count": "10",
            "as of": answers(ready)[0]["as of"],
            "coverage": "all locations",
            "note": "",
        }
    ]
    ready.match("--count", "--want", "beds", expect=Exit.USAGE)


def test_a_denial_tells_each_unmet_check_and_its_line(ready):
    ready.world.broker.deny["snf"] = Check("attributes", False, "not in this purpose", "purposes/snf-locatie.yaml:18")
    out = ready.match("--want", "enterprise-name", expect=Exit.POLICY_DENIED)
    assert "snf: denied" in out
    assert "NOT MET attributes: not in this purpose (purposes/snf-locatie.yaml:18)" in out
    assert "purpose-active" not in out
    assert {line["status"] for line in answers(ready)} == {"denied", "invalid input"}
    value = ready.match("--want", "enterprise-name", expect=Exit.POLICY_DENIED, as_json=True)
    assert [check["met"] for check in value["answers"][0]["decision"]["checks"]] == [True, False]


NOTICE = "suspended by a signed notice since 2026-11-23 09:00 UTC; a new text that names the notice lifts it"


def test_a_denial_by_a_notice_tells_what_comes_next(ready):
    ready.world.broker.deny["snf"] = Check("suspension", False, NOTICE, "purposes/snf-locatie.yaml:15")
    out = ready.match(expect=Exit.POLICY_DENIED)
    assert f"NOT MET suspension: {NOTICE} (purposes/snf-locatie.yaml:15)" in out
    assert "next    ask your privacy officer" in out
    assert "next    ask your privacy officer" in ready.run("utrecht", "check", *QUESTION, expect=Exit.POLICY_DENIED)
    ready.world.broker.deny["snf"] = Check("attributes", False, "not in this purpose", "purposes/snf-locatie.yaml:18")
    assert "privacy officer" not in ready.match(expect=Exit.POLICY_DENIED)


def test_rows_withheld_by_a_suspension_are_a_denial_that_came_late(ready):
    ready.world.broker.status["snf"] = 6
    out = ready.match("--want", "beds", expect=Exit.POLICY_DENIED)
    assert "snf: withheld: the purpose was suspended, or closed to you, while the answer was made" in out
    assert 'not a "no hit"' in out
    assert "next    `sluis-client check` tells how the purpose stands now" in out
    assert "(verified)" in out
    lines = answers(ready)
    assert {line["status"] for line in lines} == {"withheld", "invalid input"}
    assert "nothing was released" in lines[0]["note"]
    assert ready.match(expect=Exit.POLICY_DENIED, as_json=True)["answers"][0]["status"] == "WITHHELD"
    # the receipts prove the ask and that nothing was released
    assert "WITHHELD" in ready.run("utrecht", "receipt", "verify", "answers.csv.receipts.json")


def test_a_count_that_was_withheld_names_every_reason_it_may_have(ready):
    ready.world.broker.status["snf"] = 6
    out = ready.match("--count")
    assert "snf: withheld: too few of the subjects are in the register, or nearly all of them, or the purpose" in out
    assert "nothing was released" in answers(ready)[0]["note"]


def test_without_a_key_a_match_is_explained_by_a_dry_run(ready):
    ready.world.broker.deny["snf"] = Check("asker", False, "not allowed", "purposes/persons.yaml:3")
    words = ("match", "addresses.csv", "--purpose", "persons", "--scheme", "bag", "--answerer", "snf", "--out", "a.csv")
    out = ready.run("utrecht", *words, expect=Exit.POLICY_DENIED)
    assert "NOT MET asker: not allowed (purposes/persons.yaml:3)" in out
    assert "the question was not put" in ready.err
    assert not (ready.world.directory / "a.csv").exists()
    # where the policy would not deny it, the missing key is the trouble
    ready.world.broker.deny.clear()
    ready.run("utrecht", *words, expect=Exit.KEY_TROUBLE)
    assert ready.err.splitlines()[-1].startswith("error EPOCH_UNKNOWN: ")


def test_a_check_explains_all(ready):
    out = ready.run("utrecht", "check", *QUESTION, "--want", "beds", "--subjects", "12")
    assert "snf: permitted" in out
    assert "met     purpose-active" in out
    ready.world.broker.deny["snf"] = Check("x", False, "no", "")
    value = ready.json("utrecht", "check", *QUESTION, expect=Exit.POLICY_DENIED)
    assert [one["permitted"] for one in value["decisions"]] == [False]


def test_an_interrupted_match_gives_the_same_answer(ready):
    ready.plan = [lambda transport: transport.lose.update(match=[unreachable()])]
    ready.match("--want", "beds", expect=Exit.BROKER_UNREACHABLE)
    (unfinished,) = ready.json("utrecht", "exchanges", "list")["unfinished"]
    assert f"unfinished: {unfinished['request_id']}" in ready.run("utrecht", "exchanges", "list")
    value = ready.match("--want", "beds", as_json=True)
    assert (value["exchange"], value["repeated"]) == (unfinished["request_id"], True)
    assert ready.world.broker.debits == 1
    first = answers(ready)
    again = ready.match("--want", "beds", "--request-id", value["exchange"], as_json=True)
    assert again["repeated"]
    assert answers(ready) == first
    assert ready.world.broker.debits == 1
    assert ready.json("utrecht", "exchanges", "list")["unfinished"] == []
    ready.match("--want", "beds", "--new")
    assert ready.world.broker.debits == 2


def test_answers_that_cannot_be_stored_are_not_lost(ready, monkeypatch):
    """Killed between the answer and the file: the same command gets the same answer without a new debit."""
    monkeypatch.setattr("sluis_client.cli.match.write_private", lambda *_: (_ for _ in ()).throw(OSError("x")))
    ready.match("--want", "beds", expect=Exit.INTERNAL)
    monkeypatch.undo()
    monkeypatch.setattr("sluis_client.client.connect", ready._connect)
    monkeypatch.chdir(ready.world.directory)
    assert ready.match("--want", "beds", as_json=True)["repeated"]
    assert ready.world.broker.debits == 1


def test_receipts_verify_and_fail_offline(ready):
    ready.match("--want", "beds")
    transports = len(ready.transports)
    path = ready.world.directory / "answers.csv.receipts.json"
    out = ready.run("utrecht", "receipt", "verify", path.name)
    assert out.splitlines()[-1] == "verified"
    assert "permit" in out
    assert "ANSWERED" in out
    value = ready.json("utrecht", "receipt", "verify", path.name)
    assert [one["kind"] for one in value["receipts"]] == ["ask", "release"]
    assert len(ready.transports) == transports
    good = json.loads(path.read_text())
    bad = [
        ("answers", 0, "release", "index"),
        ("answers", 0, "ask", "leaf"),
        ("answers", 0, "ask", "checkpoint"),
        ("answers", 0, "result", "salt"),
        ("answers", 0, "status"),
        ("answers", 0, "answerer"),
        ("question", "signature"),
        ("question", "statement"),
    ]
    for where in bad:
        changed = json.loads(json.dumps(good))
        at = changed
        for step in where[:-1]:
            at = at[step]
        old = at[where[-1]]
        at[where[-1]] = (
            old + 1 if isinstance(old, int) else old.replace(old[20:24], old[24:28]) if len(old) > 28 else "x"
        )
        assert changed != good, where
        path.write_text(json.dumps(changed))
        out = ready.run("utrecht", "receipt", "verify", path.name, expect=Exit.VERIFICATION_FAILED)
        assert "verified" not in out
        assert ready.err.startswith("error "), where
    for missing in ("ask", "release"):
        changed = json.loads(json.dumps(good))
        changed["answers"][0][missing] = None
        path.write_text(json.dumps(changed))
        ready.run("utrecht", "receipt", "verify", path.name, expect=Exit.USAGE if missing == "ask" else 6)
    ready.run("utrecht", "receipt", "verify", "none.json", expect=Exit.USAGE)


def test_an_answerer_fetches_its_receipts_page_by_page(ready):
    ready.match()
    ready.match("--count")
    value = ready.json("snf", "receipts", "fetch", "--out", "mine.json")
    assert value["receipts"] == 4
    assert ready.run("snf", "receipt", "verify", "mine.json").splitlines()[-1] == "verified"
    exchange = ready.json("utrecht", "exchanges", "list")["exchanges"][0]["exchange"]
    only = ready.json("snf", "receipts", "fetch", "--out", "one.json", "--exchange", exchange)
    assert only["receipts"] == 2
    rest = ready.json("snf", "receipts", "fetch", "--out", "r.json", "--from-index", str(value["next_index"]))
    assert rest["receipts"] == 0


def test_the_log_is_followed(ready):
    first = ready.json("utrecht", "log", "checkpoint")
    ready.match()
    out = ready.run("utrecht", "log", "checkpoint")
    assert "proven to hold all that was shown before" in out
    del ready.world.broker.log.leaves[first["size"] :]
    ready.run("utrecht", "log", "checkpoint", expect=Exit.VERIFICATION_FAILED)
    assert ready.err.startswith("error LOG_SHRUNK: THE BROKER'S LOG HAS LOST ENTRIES")


def test_purposes_and_budget(ready):
    assert "question?" in ready.run("utrecht", "purposes", "list")
    value = ready.json("utrecht", "purposes", "show", "snf-locatie")
    assert value["steward"] == "snf"
    assert value["match_keys"] == {"name-birthdate": 2, "name-birthdate-2": 8}
    assert value["policy"]["revision"] == 3
    assert "signatures verified, both sides' approvals verified" in ready.run(
        "utrecht", "purposes", "show", "snf-locatie"
    )
    ready.run("utrecht", "purposes", "show", "nothing", expect=Exit.USAGE)
    ready.run("utrecht", "budget", "snf-locatee", expect=Exit.USAGE)
    assert "did you mean snf-locatie?" in ready.err
    assert ready.json("utrecht", "budget", "snf-locatie")["requests_left"] == 50
    assert "of 50 questions left" in ready.run("utrecht", "budget", "snf-locatie")


def test_a_purpose_that_a_notice_closed_is_shown_as_such(ready):
    ready.world.broker.suspended.add("snf-locatie")
    value = ready.json("utrecht", "purposes", "show", "snf-locatie")
    assert (value["state"], value["state_at_broker"]) == ("active", "suspended")
    assert value["policy"]["approvals_verified"] is True
    assert "suspended" in ready.run("utrecht", "purposes", "list")


def test_a_set_without_approvals_is_refused_and_a_trial_that_takes_it_says_so(ready, monkeypatch):
    whole = ready.world.broker.approvals()
    monkeypatch.setattr(ready.world.broker, "approvals", lambda: whole[:1])
    ready.match(expect=Exit.VERIFICATION_FAILED)
    assert ready.err.splitlines()[-1] == (
        "error POLICY_UNSIGNED: the policy set is refused: persons is active and lacks the approval of its asking "
        "side; use nothing under it, and tell those who sign policies"
    )
    path = ready.world.directory / "utrecht" / "sluis-client.yaml"
    path.write_text(path.read_text() + "unsafe_skip_approvals: true\n")
    ready.match()
    assert "unsafe_skip_approvals: whether both sides approved a purpose is not checked" in ready.err
    assert "approvals NOT verified" in ready.run("utrecht", "purposes", "show", "snf-locatie")
    path.write_text(path.read_text().replace("environment: test", "environment: production"))
    ready.match(expect=Exit.USAGE)
    assert "unsafe_skip_approvals is for trials" in ready.err


def test_pseudonymise_needs_no_connection(ready):
    ready.run("utrecht", "keys", "fetch", "--purpose", "snf-locatie")
    transports = len(ready.transports)
    words = ("pseudonymise", "addresses.csv", "--purpose", "snf-locatie", "--scheme", "bag", "--out", "p.csv")
    value = ready.json("utrecht", *words)
    assert (value["subjects"], len(value["problems"]), len(ready.transports)) == (20, 1, transports)
    data = (ready.world.directory / "p.csv").read_text(encoding="utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(data)))
    assert len({line["pseudonym 1"] for line in lines}) == 20
    assert BAGS[10] not in data
    ready.run("someren", *words, expect=Exit.KEY_TROUBLE)
    assert "keys fetch --purpose snf-locatie" in ready.err


@pytest.mark.slow
def test_pseudonymise_in_two_processes_writes_the_same(ready):
    ready.run("utrecht", "keys", "fetch", "--purpose", "snf-locatie")
    words = ("pseudonymise", "addresses.csv", "--purpose", "snf-locatie", "--scheme", "bag", "--out")
    ready.run("utrecht", *words, "one.csv")
    ready.run("utrecht", *words, "two.csv", "--processes", 2)
    one, two = ((ready.world.directory / name).read_bytes() for name in ("one.csv", "two.csv"))
    assert one == two
    ready.run("utrecht", *words, "none.csv", "--processes", 0, expect=Exit.USAGE)


def test_the_profile_may_stand_before_the_command(ready):
    ready.run("", "--profile", "snf/sluis-client.yaml", "keys", "show")
    ready.run("", "-p", "none.yaml", "keys", "show", expect=Exit.USAGE)
    assert ready.err.startswith("error PROFILE_MISSING: ")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--as-of", "gisteren"), "USAGE"),
        (("--map", "beds"), "USAGE"),
        (("--map", "beds=a", "--map", "beds=b"), "USAGE"),
        (("--rules", "look_back_years=2"), "RULES_WRONG"),
    ],
)
def test_wrong_options_of_publish(ready, words, code):
    ready.publish(*words, expect=Exit.USAGE)
    assert ready.err.splitlines()[-1].startswith(f"error {code}: ")


def test_wrong_options_are_refused_before_anything_is_asked(ready):
    before = ready.world.broker.debits
    ready.match("--delimiter", "x", expect=Exit.USAGE)
    ready.match("--keep-columns", "bestaat niet", expect=Exit.USAGE)
    ready.run("utrecht", "match", "addresses.csv", *QUESTION, "--out", "no/where.csv", expect=Exit.USAGE)
    assert ready.world.broker.debits == before


def test_a_refusal_of_the_broker_is_told_with_its_code(ready):
    ready.plan = [lambda transport: transport.fail.update(match=[refused("TOO_MANY_STREAMS", "wait")])]
    ready.match(expect=Exit.BROKER_REFUSED)
    assert ready.err.splitlines()[-1] == "error TOO_MANY_STREAMS: wait"


def test_an_unforeseen_error_tells_its_place_and_not_its_text(ready, monkeypatch):
    def burst(*_, **__):
        raise ValueError(f"invalid literal: {BAGS[0]}")

    monkeypatch.setattr("sluis_client.tables.normalise_table", burst)
    ready.match(expect=Exit.INTERNAL)
    assert ready.err.startswith("error INTERNAL: ")
    assert "ValueError" in ready.err
    assert BAGS[0] not in ready.err
