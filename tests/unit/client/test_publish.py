from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from fake_broker import NOW, World, refused, transport_of, unreachable
from hypothesis import given
from hypothesis import strategies as st
from sluis_client.attributes import NOT_BOOLEAN, NOT_CODE, NOT_INTEGER, TOO_WIDE, Unfit, attribute_value
from sluis_client.canonical import parse_canonical
from sluis_client.cells import Reason
from sluis_client.custody import create_epoch, init_encryption_key
from sluis_client.errors import ClientError, Exit
from sluis_client.policy import AttributeView
from sluis_client.publish import Plan, prepare, publish
from sluis_client.register_table import Prepared
from sluis_client.sealed_runs import row_bytes, run_entropy
from sluis_client.tables import read_table

BAGS = [f"034401{number:010d}" for number in range(60)]
AS_OF = datetime(2026, 11, 19, 23, tzinfo=UTC)
PLAN = Plan("snf-locatie", "bag", AS_OF, "all certified locations")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    for name in ("snf", "utrecht"):
        init_encryption_key(made.participant(name))
    create_epoch(made.participant("snf"), "snf-locatie")
    return made


def table(rows=60, head="bag;beds;status", line=lambda n: f"{BAGS[n]};{n};geldig"):
    return read_table("\n".join([head, *map(line, range(rows))]).encode())


def small_runs(monkeypatch, rows=8):
    monkeypatch.setattr("sluis_client.publish.rows_per_message", lambda _: rows)


def go(me, plan=PLAN, source=None, **options):
    plan = replace(plan, attributes={"certificate-status": "status"}) if source is None else plan
    prepared = prepare(me.purpose(plan.purpose), plan, source or table())
    return publish(me, plan, prepared, sleep=lambda _: None, **options)


def test_a_register_is_uploaded_sealed_and_in_force(world, monkeypatch):
    small_runs(monkeypatch)
    snf = world.participant("snf")
    seen = []
    done = go(snf, progress=lambda *step: seen.append(step))
    assert done.register.name == "snf/snf-locatie/2026Q4/bag"
    manifest = parse_canonical(done.register.manifest.statement)
    assert manifest["rows"] == 60
    assert manifest["attributes"] == ["beds", "certificate-status"]
    assert manifest["as_of"] == "2026-11-19T23:00:00Z"
    # to the end of the epoch
    assert manifest["expires_at"] == "2026-12-31T23:00:00Z"
    assert seen[-1] == ("publishing", 60, 60)
    assert snf.keystore.record_names("uploads") == ()
    stored = world.broker.registers[done.register.name]
    assert [run.rows for run in stored.runs] == [8] * 7 + [4]


def test_rows_leave_in_another_order_than_they_stand_in(world):
    snf = world.participant("snf")
    go(snf, replace(PLAN, hits_only=True), table(head="bag", line=lambda n: BAGS[n]))
    (run,) = world.broker.registers["snf/snf-locatie/2026Q4/bag"].runs
    sent = run.columns[0].pseudonyms
    world.broker.registers.clear()
    go(snf, replace(PLAN, hits_only=True), table(head="bag", line=lambda n: BAGS[n]))
    (again,) = world.broker.registers["snf/snf-locatie/2026Q4/bag"].runs
    rows = [sent[at : at + 16] for at in range(0, len(sent), 16)]
    other = [again.columns[0].pseudonyms[at : at + 16] for at in range(0, len(sent), 16)]
    assert sorted(rows) == sorted(other)
    assert rows != other
    assert rows != sorted(rows)


@pytest.mark.parametrize("cut", [0, 1, 3, 7])
def test_a_killed_upload_goes_on_with_the_same_bytes(world, monkeypatch, cut):
    small_runs(monkeypatch)
    first = world.participant("snf")
    transport_of(first).cut_after = [cut]
    transport_of(first).fail["upload"] = [unreachable()]
    with pytest.raises(ClientError) as caught:
        go(first)
    assert caught.value.exit_code is Exit.BROKER_UNREACHABLE
    (stored,) = world.broker.uploads.values()
    assert stored.rows == 8 * cut
    kept = list(stored.runs)
    done = go(world.participant("snf"))
    assert done.resumed_rows == 8 * cut
    assert len(world.broker.uploads) == 1
    # the fake compares the digest of all that was uploaded, before and after, with the manifest
    assert stored.manifest is not None
    assert stored.runs[: len(kept)] == kept


def test_a_stream_that_breaks_is_taken_up_where_the_broker_is(world, monkeypatch):
    small_runs(monkeypatch)
    snf = world.participant("snf")
    transport_of(snf).cut_after = [2, 0, 3]
    done = go(snf)
    assert done.register.rows == 60
    assert transport_of(snf).calls.count("upload_rows") == 4


def test_a_stream_that_never_gets_further_is_given_up(world, monkeypatch):
    small_runs(monkeypatch)
    snf = world.participant("snf")
    transport_of(snf).cut_after = [0] * 50
    with pytest.raises(ClientError) as caught:
        go(snf)
    assert caught.value.exit_code is Exit.BROKER_UNREACHABLE
    assert transport_of(snf).calls.count("upload_rows") == 6


def test_a_stream_that_is_refused_is_not_tried_again(world, monkeypatch):
    small_runs(monkeypatch)
    snf = world.participant("snf")

    def refuse(*_):
        transport_of(snf).calls.append("upload_rows")
        raise refused("LOOKS_LIKE_IDENTIFIERS")

    monkeypatch.setattr(snf.transport, "upload_rows", refuse)
    with pytest.raises(ClientError) as caught:
        go(snf)
    assert caught.value.code == "LOOKS_LIKE_IDENTIFIERS"
    assert transport_of(snf).calls.count("upload_rows") == 1


def test_killed_after_sealing_it_gets_the_same_register(world):
    first = world.participant("snf")
    transport_of(first).lose["seal"] = [unreachable()]
    with pytest.raises(ClientError):
        go(first)
    world.broker.now = NOW.replace(hour=15)
    done = go(world.participant("snf"))
    assert done.register.version == 1
    kinds = [parse_canonical(leaf)["kind"] for leaf in world.broker.log.leaves]
    assert kinds.count("register") == 1


def test_other_contents_never_meet_the_same_random_numbers(world, monkeypatch):
    """A field key seals one value once: an interrupted upload of other values must start another one."""
    small_runs(monkeypatch)
    first = world.participant("snf")
    transport_of(first).cut_after = [2]
    transport_of(first).fail["upload"] = [unreachable()]
    with pytest.raises(ClientError):
        go(first)
    plan = replace(PLAN, attributes={"certificate-status": "status"})
    go(world.participant("snf"), plan, table(line=lambda n: f"{BAGS[n]};{n + (n == 59)};geldig"))
    cut_off, whole = world.broker.uploads.values()
    assert cut_off.manifest is None
    wraps = [{run.wraps[0][at : at + 60] for run in one.runs for at in range(0, 480, 60)} for one in (cut_off, whole)]
    assert not wraps[0] & wraps[1]


def test_a_refused_upload_is_not_taken_up_again(world):
    first = world.participant("snf")
    transport_of(first).fail["seal"] = [refused("STATEMENT_INVALID")]
    with pytest.raises(ClientError):
        go(first)
    assert first.keystore.record_names("uploads") == ()
    assert go(world.participant("snf")).register.version == 2


def test_an_upload_that_is_not_ours_is_refused(world):
    snf = world.participant("snf")
    transport_of(snf).bend["begin"] = lambda upload: replace(upload, register="snf/other/2026Q4/bag")
    with pytest.raises(ClientError) as caught:
        go(snf)
    assert (caught.value.code, caught.value.exit_code) == ("ANSWER_BROKEN", Exit.VERIFICATION_FAILED)


def test_a_receipt_of_another_register_is_refused(world):
    snf = world.participant("snf")
    transport_of(snf).bend["seal"] = lambda sealed: (sealed[0], world.broker.log.receipt(1))
    with pytest.raises(ClientError) as caught:
        go(snf)
    assert caught.value.code == "RECEIPT_BROKEN"


def test_a_receipt_of_an_earlier_version_is_refused(world):
    first = go(world.participant("snf"))
    snf = world.participant("snf")
    transport_of(snf).bend["seal"] = lambda sealed: (sealed[0], first.receipt)
    with pytest.raises(ClientError) as caught:
        go(snf)
    assert (caught.value.code, caught.value.exit_code) == ("RECEIPT_BROKEN", Exit.VERIFICATION_FAILED)


def test_a_bad_attribute_leaves_its_row_out_and_never_shows(world):
    lines = {3: "034401%010d;12 bedden;geldig", 5: "034401%010d;5;kwijtgeraakt", 7: "034401%010d;1234567;geldig"}
    source = table(line=lambda n: lines.get(n, "034401%010d;4;verlopen") % n)
    plan = replace(PLAN, attributes={"certificate-status": "status"})
    prepared = prepare(world.participant("snf").purpose("snf-locatie"), plan, source)
    assert [(p.row, p.column, p.reason) for p in prepared.problems] == [
        (5, "beds", NOT_INTEGER),
        (7, "status", NOT_CODE),
        (9, "beds", TOO_WIDE),
    ]
    assert len(prepared.keys) == len(prepared.values) == 57
    assert ("4", "expired") in prepared.values
    shown = " ".join(map(str, prepared.problems)) + repr(prepared)
    for cell in ("12 bedden", "kwijtgeraakt", "1234567"):
        assert cell not in shown
    with pytest.raises(ClientError) as caught:
        prepare(world.participant("snf").purpose("snf-locatie"), replace(plan, strict=True), source)
    assert caught.value.exit_code is Exit.REFUSED_ROWS
    assert "kwijtgeraakt" not in caught.value.message


def view(world, purpose="snf-locatie"):
    return world.participant("snf").purpose(purpose)


def test_attributes_without_a_column_are_told(world):
    prepared = prepare(view(world), PLAN, table())
    assert [one.name for one in prepared.attributes] == ["beds"]
    assert prepared.left_out == ("certificate-status",)


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        ({"attributes": {"bed": "beds"}}, "ATTRIBUTE_UNKNOWN"),
        ({"attributes": {"beds": "bedden"}}, "COLUMN_MISSING"),
        ({"codes": {"weg": "gone"}, "attributes": {"certificate-status": "status"}}, "CODE_UNKNOWN"),
        ({"scheme": "kvk"}, "SCHEME_UNKNOWN"),
        ({"scheme": "kvkk"}, "SCHEME_UNKNOWN"),
        ({"rules": {"valid_on": "as-of"}}, "RULES_WRONG"),
        ({"coverage": ""}, "USAGE"),
        ({"coverage": "all\nof it"}, "USAGE"),
        ({"coverage": "all\x1b[2K"}, "USAGE"),
        ({"coverage": "from 20260101 on"}, "USAGE"),
        ({"coverage": "é" * 251}, "USAGE"),
    ],
)
def test_plans_that_cannot_be(world, plan, code):
    with pytest.raises(ClientError) as caught:
        prepare(view(world), replace(PLAN, **plan), table())
    assert (caught.value.code, caught.value.exit_code) == (code, Exit.USAGE)


def test_row_rules_must_be_declared_as_the_policy_has_them(world):
    ruled = view(world, "ruled")
    plan = replace(PLAN, purpose="ruled")
    with pytest.raises(ClientError) as caught:
        prepare(ruled, plan, table())
    assert caught.value.code == "RULES_MISSING"
    assert "--rules look_back_years=2" in caught.value.message
    assert "--rules exclude_natural_persons=true" in caught.value.message
    whole = {"look_back_years": 2, "look_back_counted_from": "as-of", "exclude_natural_persons": True}
    assert prepare(ruled, replace(plan, rules=whole), table()).keys
    with pytest.raises(ClientError) as caught:
        prepare(ruled, replace(plan, rules=whole | {"look_back_years": 3}), table())
    assert caught.value.code == "RULES_WRONG"


def test_an_empty_register_is_not_published(world):
    with pytest.raises(ClientError) as caught:
        prepare(view(world), PLAN, table(3, line=lambda n: f"x{n};1;geldig"))
    assert caught.value.code == "NOTHING_TO_PUBLISH"


def test_words_of_the_file_for_codes(world):
    plan = replace(PLAN, attributes={"certificate-status": "status"}, codes={"Gecertificeerd": "valid"})
    words = ["gecertificeerd", "GELDIG", "valid", "verlopen"]
    prepared = prepare(view(world), plan, table(4, line=lambda n: f"{BAGS[n]};;{words[n]}"))
    assert list(prepared.values) == [(None, "valid")] * 3 + [(None, "expired")]


def attribute(kind, width=16, codes=()):
    return AttributeView("a", width, kind, tuple(codes), {"geldig": "valid"} if codes else {})


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("integer", "12", "12"),
        ("integer", " 007 ", "7"),
        ("integer", "0", "0"),
        ("integer", "-0", "0"),
        ("integer", "-12", "-12"),
        ("integer", "+3", "3"),
        ("integer", "12,0", "12"),
        ("integer", "", None),
        ("date", "2026-11-23", "2026-11-23"),
        ("date", "23-11-2026", "2026-11-23"),
        ("date", "3/2/2026", "2026-02-03"),
        ("date", "23 nov 2026", "2026-11-23"),
        ("date", "46349", "2026-11-23"),
        ("date", "2026-11-23 00:00:00", "2026-11-23"),
        ("boolean", "Ja", "true"),
        ("boolean", "ONWAAR", "false"),
        ("boolean", "0", "false"),
        ("text", " Kerk  straat ", "Kerk straat"),
        ("text", "\u00a0", None),
    ],
)
def test_cells_as_exports_write_them(kind, cell, value):
    assert attribute_value(attribute(kind), cell) == value


@pytest.mark.parametrize(
    ("kind", "cell", "reason"),
    [
        ("integer", "1.234", NOT_INTEGER),
        ("integer", "twaalf", NOT_INTEGER),
        ("integer", "1e5", NOT_INTEGER),
        ("boolean", "misschien", NOT_BOOLEAN),
        ("code", "weg", NOT_CODE),
        ("text", "x" * 17, TOO_WIDE),
        ("text", "\u00e9" * 9, TOO_WIDE),
    ],
)
def test_cells_that_are_no_value(kind, cell, reason):
    with pytest.raises(Unfit) as caught:
        attribute_value(attribute(kind, codes=("valid",)), cell)
    assert (caught.value.attribute, caught.value.reason) == ("a", reason)
    assert cell not in str(caught.value)


@pytest.mark.parametrize("cell", ["31-02-2026", "11/23/2026", "23-11-26", "2026", "#N/B"])
def test_dates_are_never_guessed(cell):
    with pytest.raises(Unfit):
        attribute_value(attribute("date"), cell)


@given(st.text(max_size=40), st.sampled_from(["integer", "date", "boolean", "code", "text"]))
def test_any_cell_is_a_value_or_a_reason(cell, kind):
    try:
        value = attribute_value(attribute(kind, codes=("valid",)), cell)
    except Unfit:
        return
    assert value is None or len(value.encode()) <= 16
    # a value is a fixed point: what askers see is one spelling
    assert value is None or attribute_value(attribute(kind, codes=("valid",)), value) == value


def test_run_entropy_is_the_same_only_for_the_same_use():
    one = run_entropy(b"s" * 32, "u", "1", "f", "0")
    first, second = one(20), one(20)
    again = run_entropy(b"s" * 32, "u", "1", "f", "0")
    assert again(40) == first + second
    assert first != second
    others = [("u", "1", "f", "1"), ("u", "2", "f", "0"), ("u", "1", "g", "0"), ("u1", "", "f", "0")]
    streams = {run_entropy(b"s" * 32, *bound)(20) for bound in others} | {
        run_entropy(b"t" * 32, "u", "1", "f", "0")(20)
    }
    assert len(streams | {first}) == 6


def test_rows_too_wide_to_send_are_refused():
    wide = [AttributeView(str(n), 60_000, "text", ()) for n in range(2)]
    assert row_bytes(1, wide[:1]) == 16 + 60 + 32 + 60_018
    assert row_bytes(2, []) == 32
    with pytest.raises(ClientError) as caught:
        row_bytes(1, wide)
    assert caught.value.code == "ROW_TOO_WIDE"


def test_prepared_rows_do_not_print(world):
    prepared = prepare(view(world), PLAN, table())
    assert isinstance(prepared, Prepared)
    assert BAGS[3] not in repr(prepared)


# ruff: noqa: RUF001
def test_several_match_keys_and_absent_ones_travel_together(world):
    source = read_table(
        "achternaam;voornamen;geboortedatum;beds\n"
        "Hristov;Hristo;1990-01-02;1\nХристов;Христо;1990-01-03;2\nWałęsa;Lech;1943-09-29;3\n".encode()
    )
    plan = replace(PLAN, scheme="name-birthdate")
    snf = world.participant("snf")
    prepared = prepare(snf.purpose("snf-locatie"), plan, source)
    publish(snf, plan, prepared, sleep=lambda _: None)
    (run,) = world.broker.registers["snf/snf-locatie/2026Q4/name-birthdate"].runs
    for number, column in enumerate(run.columns):
        bits = np.unpackbits(np.frombuffer(column.presence, np.uint8), bitorder="little")[:3]
        for row, present in enumerate(bits):
            blank = column.pseudonyms[row * 16 : row * 16 + 16] == bytes(16)
            assert blank != bool(present)
            assert (run.wraps[number][row * 60 : row * 60 + 60] == bytes(60)) != bool(present)


def test_match_keys_that_no_question_may_use_are_not_deposited(world):
    """`weakest_match_key`: looser keys are neither evaluated nor sent, and a row with none but those is told."""
    source = read_table(b"achternaam;voornamen;geboortedatum\nNowak;Jan;1990-01-02\nNowak;;1990-01-03\n")
    plan = replace(PLAN, scheme="name-birthdate-2", hits_only=True)
    strict = replace(view(world), weakest_match_key=3)
    prepared = prepare(strict, plan, source)
    (row,) = prepared.keys
    assert [fields is not None for fields in row] == [True] * 3 + [False] * 5
    assert [(problem.row, problem.reason) for problem in prepared.problems] == [(3, Reason.KEYS_TOO_LOOSE.value)]
    assert len(prepare(view(world), plan, source).keys) == 2
    with pytest.raises(ClientError) as caught:
        prepare(replace(strict, keys_per_scheme={"name-birthdate-2": 9}), plan, source)
    assert caught.value.code == "SCHEME_UNKNOWN"


def test_attributes_are_never_dropped_by_an_oversight(world):
    """A register without any attribute would replace one that has them; who wants that says so."""
    bare = table(head="bag", line=lambda n: BAGS[n])
    with pytest.raises(ClientError) as caught:
        prepare(view(world), PLAN, bare)
    assert caught.value.code == "ATTRIBUTES_MISSING"
    assert "--map" in caught.value.message
    assert prepare(view(world), replace(PLAN, hits_only=True), bare).attributes == ()
    assert prepare(view(world), replace(PLAN, hits_only=True), table()).attributes == ()


def test_a_register_does_not_outlive_its_epoch(world):
    late = replace(PLAN, hits_only=True, expires_at=datetime(2028, 1, 1, tzinfo=UTC))
    with pytest.raises(ClientError) as caught:
        go(world.participant("snf"), late, table())
    assert caught.value.code == "EXPIRES_INVALID"
