import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fake_broker import Log, World, transport_of
from sluis_client.answer_rows import ROW_AMBIGUOUS, ROW_INVALID, Row
from sluis_client.answers import check_result, disputed_of
from sluis_client.ask import Plan, ask
from sluis_client.canonical import canonical_json, commitment, parse_canonical
from sluis_client.custody import create_epoch, init_encryption_key
from sluis_client.errors import ClientError, Exit
from sluis_client.publish import Plan as PublishPlan
from sluis_client.publish import prepare, publish
from sluis_client.schemes import SCHEMES
from sluis_client.tables import normalise_table, read_table
from sluis_client.transport import Answer, AnswerRun, Check, Decision, Opening, Want

BAGS = [f"034401{number:010d}" for number in range(9)]
VESTIGINGEN = [f"0000{number:08d}" for number in range(1, 10)]
EMPTY = hashlib.sha256().hexdigest()
PLAN = Plan("snf-locatie", "bag", ("snf",), Want(hit=True, attributes=("beds", "certificate-status")))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    for name in ("snf", "utrecht", "someren"):
        init_encryption_key(made.participant(name))
    create_epoch(made.participant("snf"), "snf-locatie")
    return made


def register(world, scheme="bag", subjects=BAGS, times=1, **plan):
    snf = world.participant("snf")
    lines = [f"{subject};{10 * time + n};valid\n" for n, subject in enumerate(subjects) for time in range(times)]
    source = read_table((f"{scheme};beds;certificate-status\n" + "".join(lines)).encode())
    plan = PublishPlan("snf-locatie", scheme, datetime(2026, 11, 19, 23, tzinfo=UTC), "all", **plan)
    publish(snf, plan, prepare(snf.purpose("snf-locatie"), plan, source))


def table(subjects=BAGS, scheme="bag"):
    return normalise_table(read_table((f"{scheme}\n" + "\n".join(subjects)).encode()), SCHEMES[scheme])


def put(world, plan=PLAN, bend=None, subjects=BAGS, scheme="bag"):
    utrecht = world.participant("utrecht")
    if bend:
        transport_of(utrecht).bend["match"] = lambda answers: tuple(map(bend, answers))
    return ask(utrecht, replace(plan, scheme=scheme), table(subjects, scheme)).answers


def refusal(world, **options):
    with pytest.raises(ClientError) as caught:
        put(world, **options)
    assert caught.value.exit_code is Exit.VERIFICATION_FAILED
    return caught.value


def test_hits_open_with_ones_own_keys(world):
    register(world, subjects=BAGS[:5])
    (answer,) = put(world)
    assert {row.position: dict(row.values) for row in answer.rows} == {
        n: {"beds": str(n), "certificate-status": "valid"} for n in range(5)
    }
    assert answer.register.as_of == datetime(2026, 11, 19, 23, tzinfo=UTC)
    assert answer.ask_index < answer.release_index


def test_hits_without_attributes_and_counts(world):
    register(world, subjects=BAGS[:5])
    (answer,) = put(world, plan=replace(PLAN, want=Want(hit=True)))
    assert [(row.position, row.status, dict(row.values)) for row in answer.rows] == [(n, "hit", {}) for n in range(5)]
    (answer,) = put(world, plan=replace(PLAN, want=Want(count=True)))
    assert (answer.count, answer.hits, answer.rows) == (5, 0, ())


def test_several_records_of_one_identifier(world):
    register(world, "vestiging", VESTIGINGEN, times=2)
    (answer,) = put(world, subjects=VESTIGINGEN, scheme="vestiging")
    assert answer.hits == 9
    assert sorted(row.values["beds"] for row in answer.rows if row.position == 3) == ["13", "3"]


def test_no_hit_at_all_is_an_answer(world):
    register(world, subjects=["0344010000099999"])
    (answer,) = put(world)
    assert (answer.status, answer.hits, answer.rows) == ("ANSWERED", 0, ())


@pytest.mark.parametrize("status", [5, 6, 7, 8])
def test_answers_without_rows(world, status):
    register(world)
    world.broker.status["snf"] = status
    (answer,) = put(world)
    assert (answer.rows, answer.hits) == ((), 0)
    assert (answer.register is not None) == (status == 6)


def test_an_expired_register_is_said_to_be(world):
    register(world, expires_at=datetime(2026, 11, 23, 9, 59, tzinfo=UTC))
    world.broker.status["snf"] = 4
    (answer,) = put(world)
    assert (answer.status, answer.register.version) == ("EXPIRED", 1)
    # the broker must not match against it all the same
    world.broker.status["snf"] = 1
    assert refusal(world).code == "MANIFEST_REFUSED"


@pytest.mark.parametrize("want", [Want(hit=True), PLAN.want, Want(count=True)], ids=["hits", "attributes", "count"])
def test_a_purpose_closed_before_the_release_withholds_all_that_there_was_to_say(world, want):
    """Then the status is WITHHELD whatever the register was: none, one with rows, or one that has expired."""
    world.broker.status["snf"] = 6
    plan = replace(PLAN, want=want)
    (answer,) = put(world, plan=plan)
    assert (answer.status, answer.register, answer.rows, answer.count) == ("WITHHELD", None, (), None)
    register(world)
    (answer,) = put(world, plan=plan)
    assert (answer.status, answer.register.version, answer.rows, answer.count) == ("WITHHELD", 1, (), None)
    register(world, expires_at=datetime(2026, 11, 23, 9, 59, tzinfo=UTC))
    (answer,) = put(world, plan=plan)
    assert (answer.status, answer.register.version) == ("WITHHELD", 2)
    assert answer.release_index > answer.ask_index


@pytest.mark.parametrize("status", [1, 4, 6])
def test_a_register_that_the_log_names_is_not_left_out_of_the_answer(world, status):
    register(world, expires_at=datetime(2026, 11, 23, 9, 59, tzinfo=UTC) if status == 4 else None)
    world.broker.status["snf"] = status
    assert put(world)
    assert refusal(world, bend=lambda answer: replace(answer, register=None)).code == "ANSWER_BROKEN"


def test_rows_without_any_register_are_refused(world):
    register(world)

    def bend(answer):
        body = parse_canonical(answer.ask.leaf)["body"] | {"register": None}
        index = world.broker.log.append("ask", body)
        asked = replace(answer, ask=world.broker.log.receipt(index), register=None)
        return resigned(world, asked, ask_index=index, register=None)

    assert refusal(world, bend=bend).code == "ANSWER_BROKEN"


def test_no_register_is_not_a_no_hit(world):
    (answer,) = put(world)
    assert (answer.status, answer.register, answer.rows) == ("NO_REGISTER", None, ())


def test_a_denial_is_an_answer_with_reasons(world):
    register(world)
    world.broker.deny["snf"] = Check("attributes", False, "not in this purpose", "purposes/snf-locatie.yaml:18")
    (answer,) = put(world)
    assert answer.status == "DENIED"
    assert [check.source for check in answer.decision.unmet] == ["purposes/snf-locatie.yaml:18"]
    assert answer.release_index is None


def change_run(answer, **changed):
    first = answer.runs[0]
    return replace(answer, runs=(replace(first, **changed), *answer.runs[1:]))


def flip(data, at=0):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def relabelled(answer, name, change):
    return replace(answer, **{name: change(getattr(answer, name))})


def leaf_changed(receipt):
    return replace(receipt, leaf=receipt.leaf.replace(b'"permit"', b'"denyyy"').replace(b"ANSWERED", b"NO_REGIS"))


BENDS = {
    "another exchange": lambda a: replace(a, exchange="7c8c1f53-1f1a-4a6e-9d0e-0a8ad1f0f001"),
    "another answerer": lambda a: replace(a, answerer="someren"),
    "an unknown status": lambda a: replace(a, status=9),
    "no status": lambda a: replace(a, status=0),
    "denied in words only": lambda a: replace(a, status=2, release=None, runs=(), register=None, result=None, hits=0),
    "a no register where there is one": lambda a: replace(a, status=3, runs=(), register=None, hits=0, attributes=()),
    "no ask receipt": lambda a: replace(a, ask=None),
    "no release receipt": lambda a: replace(a, release=None),
    "ask and release swapped": lambda a: replace(a, ask=a.release, release=a.ask),
    "a changed ask leaf": lambda a: relabelled(a, "ask", leaf_changed),
    "a changed release leaf": lambda a: relabelled(a, "release", leaf_changed),
    "a broken path": lambda a: relabelled(a, "ask", lambda r: replace(r, inclusion=r.inclusion[:-1])),
    "a moved index": lambda a: relabelled(a, "release", lambda r: replace(r, index=r.index - 1)),
    "an unsigned checkpoint": lambda a: relabelled(
        a, "release", lambda r: replace(r, checkpoint=r.checkpoint.split("\n\n")[0] + "\n\n")
    ),
    "a hit too many": lambda a: replace(a, hits=a.hits + 1),
    "a hit too few": lambda a: replace(a, hits=a.hits - 1),
    "a count that was not asked": lambda a: replace(a, count=3),
    "a band that was not asked": lambda a: replace(a, band="0-9"),
    "a missing run": lambda a: replace(a, runs=a.runs[1:]),
    "runs in another order": lambda a: replace(a, runs=a.runs[::-1]),
    "no rows at all": lambda a: replace(a, runs=()),
    "a repeated run": lambda a: replace(a, runs=(*a.runs, a.runs[0])),
    "a moved row": lambda a: change_run(a, positions=flip(a.runs[0].positions)),
    "a changed status": lambda a: change_run(a, statuses=bytes([3, *a.runs[0].statuses[1:]])),
    "a changed field": lambda a: change_run(a, fields=(flip(a.runs[0].fields[0]), *a.runs[0].fields[1:])),
    "swapped fields": lambda a: replace(a, attributes=a.attributes[::-1]),
    "an attribute less": lambda a: replace(a, attributes=a.attributes[:1]),
    "no result opening": lambda a: replace(a, result=None),
    "another salt": lambda a: replace(a, result=Opening(bytes(32), a.result.value)),
    "another value": lambda a: replace(a, result=Opening(a.result.salt, a.result.value + b" ")),
    "no register": lambda a: replace(a, register=None),
    "other coverage": lambda a: relabelled(a, "register", lambda r: replace(r, coverage="everything")),
    "other as-of date": lambda a: relabelled(a, "register", lambda r: replace(r, as_of=r.expires_at)),
    "later expiry": lambda a: relabelled(
        a, "register", lambda r: replace(r, expires_at=datetime(2028, 1, 1, tzinfo=UTC))
    ),
    "another version": lambda a: relabelled(a, "register", lambda r: replace(r, version=2)),
    "another name": lambda a: relabelled(a, "register", lambda r: replace(r, name="snf/snf-locatie/2026Q4/kvk")),
    "a manifest unsigned": lambda a: relabelled(
        a, "register", lambda r: replace(r, manifest=replace(r.manifest, signature=flip(r.manifest.signature, 9)))
    ),
    "a check hidden": lambda a: relabelled(a, "decision", lambda d: replace(d, checks=())),
    "a check reworded": lambda a: relabelled(
        a, "decision", lambda d: replace(d, checks=(replace(d.checks[0], reason="because"),))
    ),
    "another policy set": lambda a: relabelled(a, "decision", lambda d: replace(d, policy_set="00" * 32)),
    "a permission in words only": lambda a: relabelled(a, "decision", lambda d: replace(d, permitted=False)),
}


@pytest.mark.parametrize("bend", BENDS.values(), ids=BENDS.keys())
def test_a_bent_answer_is_refused_whole(world, bend):
    register(world)
    error = refusal(world, bend=bend)
    assert not any(bag in error.message for bag in BAGS)


def test_the_unbent_answer_passes(world):
    register(world)
    assert put(world, bend=lambda answer: answer)


def resigned(world, answer, status=None, **entry):
    """What a broker could do that also writes its lie into the log: everything but forge others' signatures."""
    log = world.broker.log
    body = parse_canonical(answer.release.leaf)["body"] | entry
    index = log.append("release", body)
    return replace(answer, release=log.receipt(index), status=status or answer.status)


def recommitted(world, answer, **value):
    told = parse_canonical(answer.result.value) | value
    salt, raw = b"s" * 32, canonical_json(told)
    done = resigned(world, answer, result=commitment("result", salt, raw))
    return replace(done, result=Opening(salt, raw))


def digest_of(answer):
    from sluis_client.answers import rows_digest

    return rows_digest(answer.runs)


LIES = {
    "a field of another row": lambda a: change_run(
        a,
        fields=(a.runs[0].fields[0][24:48] + a.runs[0].fields[0][:24] + a.runs[0].fields[0][48:], a.runs[0].fields[1]),
    ),
    "a wrap of another row": lambda a: change_run(
        a, wraps=a.runs[0].wraps[60:120] + a.runs[0].wraps[:60] + a.runs[0].wraps[120:]
    ),
    "a commitment of another row": lambda a: change_run(
        a, commitments=a.runs[0].commitments[32:64] + a.runs[0].commitments[:32] + a.runs[0].commitments[64:]
    ),
    "hits at each other's places": lambda a: change_run(
        a, positions=a.runs[0].positions[4:8] + a.runs[0].positions[:4] + a.runs[0].positions[8:]
    ),
    "a row nobody asked about": lambda a: change_run(a, positions=b"\xff\0\0\0" + a.runs[0].positions[4:]),
    "a row twice": lambda a: change_run(a, positions=a.runs[0].positions[4:8] * 2 + a.runs[0].positions[8:]),
    "a no hit spelled out": lambda a: change_run(a, statuses=bytes([2, *a.runs[0].statuses[1:]])),
    "an unknown row status": lambda a: change_run(a, statuses=bytes([9, *a.runs[0].statuses[1:]])),
    "a row called invalid": lambda a: change_run(a, statuses=bytes([ROW_INVALID, *a.runs[0].statuses[1:]])),
    "a match key that is none": lambda a: change_run(a, match_keys=bytes([2, *a.runs[0].match_keys[1:]])),
    "a hit by no match key": lambda a: change_run(a, match_keys=bytes([0, *a.runs[0].match_keys[1:]])),
    "a short column": lambda a: change_run(a, wraps=a.runs[0].wraps[:-60]),
    "a column too many": lambda a: change_run(a, fields=(*a.runs[0].fields, a.runs[0].fields[0])),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_that_the_log_repeats_is_still_found_out(world, lie):
    register(world)

    def bend(answer):
        bent = lie(answer)
        return recommitted(world, bent, rows=digest_of(bent))

    refusal(world, bend=bend)


def with_row_status(answer, status, match_key):
    """The first row as another status, hits and all."""
    first = answer.runs[0]
    changed = {
        "statuses": bytes([status, *first.statuses[1:]]),
        "match_keys": bytes([match_key, *first.match_keys[1:]]),
    }
    return replace(change_run(answer, **changed), hits=answer.hits - 1)


def test_a_good_row_called_invalid_is_found_out(world):
    register(world)

    def bend(answer):
        bent = with_row_status(answer, ROW_INVALID, 0)
        return recommitted(world, bent, rows=digest_of(bent), hits=bent.hits)

    assert refusal(world, bend=bend).code == "ANSWER_BROKEN"


def test_a_number_of_hits_that_its_rows_do_not_bear_out_is_found_out(world):
    register(world)

    def bend(answer):
        return recommitted(world, replace(answer, hits=8), hits=8)

    assert refusal(world, bend=bend).code == "ANSWER_BROKEN"


def test_a_hit_by_a_match_key_that_the_row_does_not_have_is_found_out(world):
    person = read_table(b"achternaam;voornamen;geboortedatum\nJansen;Jan;1990-01-02\n")
    plan = PublishPlan("snf-locatie", "name-birthdate", datetime(2026, 11, 19, 23, tzinfo=UTC), "all", hits_only=True)
    snf = world.participant("snf")
    publish(snf, plan, prepare(snf.purpose("snf-locatie"), plan, person))
    asked = normalise_table(person, SCHEMES["name-birthdate"])
    # no scheme leaves a match key out today, the format allows it
    asked = replace(asked, keys=[(asked.keys[0][0], None)])

    def bend(answer):
        bent = change_run(answer, match_keys=bytes([2]))
        return recommitted(world, bent, rows=digest_of(bent))

    utrecht = world.participant("utrecht")
    ask_plan = replace(PLAN, scheme="name-birthdate", want=Want(hit=True))
    assert ask(utrecht, ask_plan, asked, anew=True).answers[0].hits == 1
    transport_of(utrecht).bend["match"] = lambda answers: tuple(map(bend, answers))
    with pytest.raises(ClientError) as caught:
        ask(utrecht, ask_plan, asked, anew=True)
    assert caught.value.code == "ANSWER_BROKEN"


@pytest.mark.parametrize("name", ["ask", "release"])
def test_an_entry_of_another_kind_proves_nothing(world, name):
    register(world)
    log = world.broker.log

    def bend(answer):
        body = parse_canonical(getattr(answer, name).leaf)["body"]
        return replace(answer, **{name: log.receipt(log.append("evaluation", body))})

    assert refusal(world, bend=bend).code == "RECEIPT_BROKEN"


CONTRADICTIONS = {
    "a count that was withheld": (6, Want(count=True), {"count": 3}, {"count": 3}),
    "hits that were withheld": (6, PLAN.want, {"hits": 2}, {"hits": 2}),
    "rows that were withheld": (6, PLAN.want, {"runs": (AnswerRun(b"", b"", b"", b"", b"", ()),)}, {}),
    "hits of a failed match": (7, PLAN.want, {"hits": 2}, {"hits": 2}),
    "hits beside a count": (1, Want(count=True), {"hits": 2}, {"hits": 2}),
    "hits without rows": (1, Want(hit=True), {"hits": 9, "runs": ()}, {"hits": 9, "rows": EMPTY}),
    "a count asked and not given": (1, Want(count=True), {"count": None}, {"count": None}),
    "a count given and not asked": (1, Want(hit=True), {"count": 9}, {"count": 9}),
    "a band given and not asked": (1, Want(hit=True), {"band": "0-9"}, {"band": "0-9"}),
}


@pytest.mark.parametrize(("status", "want", "said", "logged"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_result_that_contradicts_its_question_is_refused_though_the_log_repeats_it(world, status, want, said, logged):
    register(world)
    world.broker.status["snf"] = status
    plan = replace(PLAN, want=want)
    assert put(world, plan=plan)
    error = refusal(world, plan=plan, bend=lambda a: recommitted(world, replace(a, **said), **logged))
    assert error.code == "ANSWER_BROKEN"


def test_an_ambiguous_row_is_told_and_holds_nothing(world):
    register(world)

    def bend(answer):
        first = answer.runs[0]
        bent = change_run(
            answer, statuses=bytes([ROW_AMBIGUOUS, *first.statuses[1:]]), match_keys=bytes([0, *first.match_keys[1:]])
        )
        bent = replace(bent, hits=bent.hits - 1)
        return recommitted(world, bent, rows=digest_of(bent), hits=bent.hits)

    (answer,) = put(world, bend=bend)
    row = next(row for row in answer.rows if row.status == "ambiguous")
    assert (row.match_key, dict(row.values)) == (0, {})
    assert answer.hits == 8


@pytest.mark.parametrize(
    "entry",
    [
        {"exchange": "7c8c1f53-1f1a-4a6e-9d0e-0a8ad1f0f001"},
        {"asker": "someren"},
        {"answerer": "someren"},
        {"ask_index": 0},
        {"outcome": "withheld"},
        {"status": "EXPIRED"},
        {"attributes": []},
        {"result": None},
    ],
)
def test_a_release_entry_of_something_else_is_refused(world, entry):
    register(world)
    refusal(world, bend=lambda answer: resigned(world, answer, **entry))


@pytest.mark.parametrize(
    "change",
    [
        {"statement": {"a": 1}},
        {"signature": base64.b64encode(b"x").decode()},
        {"exchange": "7c8c1f53-1f1a-4a6e-9d0e-0a8ad1f0f001"},
        {"asker": "someren"},
        {"answerer": "someren"},
        {"principal": "someren"},
        {"purpose": "ruled"},
        {"policy_set": "00" * 32},
        {"register": None},
        {"decided_at": "2027-06-01T00:00:00.000000Z"},
    ],
)
def test_an_ask_entry_of_something_else_is_refused(world, change):
    register(world)
    log = world.broker.log

    def bend(answer):
        body = parse_canonical(answer.ask.leaf)["body"] | change
        index = log.append("ask", body)
        return resigned(world, replace(answer, ask=log.receipt(index)), ask_index=index)

    refusal(world, bend=bend)


def test_a_register_signed_by_another_party_is_refused(world):
    """The broker puts someren's certificate in the place of snf's: the OIN of the policy does not fit."""
    register(world)
    world.broker.certificates["snf"] = world.broker.certificates["someren"]
    assert refusal(world).code == "CERTIFICATE_WRONG"


def test_an_answerer_without_a_published_key_cannot_be_verified(world):
    register(world)
    del world.broker.keys["snf"]
    assert refusal(world).code == "MANIFEST_REFUSED"


def test_a_register_that_declares_fewer_rules_than_the_policy_is_refused(world):
    register(world)
    world.broker.meaning["purposes"]["snf-locatie"]["valid_on"] = "as-of"
    assert refusal(world).code == "MANIFEST_REFUSED"


def test_a_register_without_the_attributes_asked_is_refused(world):
    snf = world.participant("snf")
    source = read_table(b"bag;beds\n0344010000099999;1\n")
    plan = PublishPlan("snf-locatie", "bag", datetime(2026, 11, 19, 23, tzinfo=UTC), "all")
    publish(snf, plan, prepare(snf.purpose("snf-locatie"), plan, source))
    assert refusal(world).code == "MANIFEST_REFUSED"


def test_an_attribute_that_the_policy_does_not_name_is_not_opened(world):
    register(world)
    del world.broker.meaning["purposes"]["snf-locatie"]["may_learn"]["attributes"]["certificate-status"]
    assert refusal(world).code == "ANSWER_BROKEN"


def test_a_denial_with_a_result_is_refused(world):
    register(world)
    world.broker.deny["snf"] = Check("x", False, "no", "")
    for change in ({"hits": 1}, {"count": 0}, {"result": Opening(bytes(32), b"{}")}):
        refusal(world, bend=lambda answer, change=change: replace(answer, **change))


def test_an_answer_too_many_or_too_few_is_refused(world):
    register(world)
    utrecht = world.participant("utrecht")
    for change in (lambda answers: answers * 2, lambda _: ()):
        transport_of(utrecht).bend["match"] = change
        with pytest.raises(ClientError) as caught:
            ask(utrecht, PLAN, table(), anew=True)
        assert caught.value.code == "ANSWER_BROKEN"


def test_a_log_that_forks_is_told_loudly_and_kept_as_evidence(world):
    register(world)
    put(world)
    utrecht = world.participant("utrecht")
    kept = utrecht.keystore.checkpoint()
    # the same key signs another history of the same length and more
    other = Log(world.broker.log.key)
    for number in range(len(world.broker.log.leaves)):
        other.append("genesis", {"n": number})
    world.broker.log = other
    world.broker.answers.clear()
    error = refusal(world)
    assert error.code == "LOG_FORKED"
    assert "CONTRADICTS" in error.message
    (name,) = utrecht.keystore.record_names("evidence")
    evidence = utrecht.keystore.record("evidence", name)
    assert kept in evidence["checkpoints"]
    assert utrecht.keystore.checkpoint() == kept


def test_a_log_that_changed_without_growing_is_told_loudly(world):
    utrecht = world.participant("utrecht")
    utrecht.newest_checkpoint()
    leaves = world.broker.log.leaves
    leaves[0] = leaves[0].replace(b"2026", b"2025")
    with pytest.raises(ClientError) as caught:
        utrecht.newest_checkpoint()
    assert caught.value.code == "LOG_FORKED"


def test_a_log_that_lost_entries_is_told_loudly(world):
    register(world)
    put(world)
    utrecht = world.participant("utrecht")
    kept = utrecht.keystore.checkpoint()
    del world.broker.log.leaves[-3:]
    with pytest.raises(ClientError) as caught:
        utrecht.newest_checkpoint()
    assert (caught.value.code, caught.value.exit_code) == ("LOG_SHRUNK", Exit.VERIFICATION_FAILED)
    assert "HAS LOST ENTRIES" in caught.value.message
    assert utrecht.keystore.checkpoint() == kept


def test_a_broker_that_shows_an_old_checkpoint_is_found_out(world):
    register(world)
    put(world)
    utrecht = world.participant("utrecht")
    old = world.broker.log.checkpoint(3)
    transport_of(utrecht).bend["checkpoint"] = lambda _: old
    with pytest.raises(ClientError) as caught:
        utrecht.newest_checkpoint()
    assert caught.value.code == "LOG_SHRUNK"


def test_a_log_that_grows_is_followed(world):
    register(world)
    put(world)
    utrecht = world.participant("utrecht")
    for number in range(5):
        world.broker.log.append("genesis", {"n": number})
        head, note = utrecht.newest_checkpoint()
        assert head.size == len(world.broker.log.leaves)
        assert utrecht.keystore.checkpoint() == note
    transport_of(utrecht).bend["consistency"] = lambda proof: proof[:-1]
    world.broker.log.append("genesis", {})
    with pytest.raises(ClientError) as caught:
        utrecht.newest_checkpoint()
    assert caught.value.code == "LOG_FORKED"


def test_two_answers_from_two_trees_are_found_out_at_once(world):
    """A first-time asker has kept nothing; the receipts of one exchange must still be of one log."""
    register(world)
    other = Log(world.broker.log.key)

    def bend(answer):
        for leaf in world.broker.log.leaves[:-1]:
            other.leaves.append(leaf)
        other.append("release", parse_canonical(answer.release.leaf)["body"])
        other.leaves[0] = canonical_json(parse_canonical(other.leaves[0]) | {"sequenced_at": "x"})
        return replace(answer, release=other.receipt(len(other.leaves) - 1))

    assert refusal(world, bend=bend).code == "LOG_FORKED"


def test_unmet_checks():
    checks = (Check("a", True, "", ""), Check("b", False, "", ""))
    assert Decision(False, checks, "").unmet == checks[1:]


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff\xfe", b"a\nb\nc\n\nd\n"])
def test_a_damaged_checkpoint_of_ours_is_not_blamed_on_the_broker(world, damage):
    register(world)
    put(world)
    me = world.participant("utrecht")
    path = me.keystore.directory / "checkpoint"
    path.write_bytes(damage)
    with pytest.raises(ClientError) as caught:
        put(world)
    assert (caught.value.code, caught.value.exit_code) == ("STATE_UNREADABLE", Exit.KEY_TROUBLE)
    assert str(path) in caught.value.message


def _marked(positions: list[int], seconds: list[int]) -> Answer:
    packed = b"".join(position.to_bytes(4, "little") for position in positions)
    since = b"".join(second.to_bytes(8, "little") for second in seconds)
    head = Answer("snf", 1, "x", Decision(True, (), ""), None, 2, None, "", ())
    return replace(head, disputed=(packed, since))


_ROWS = (Row(0, "hit", 1), Row(3, "hit", 1), Row(4, "ambiguous", 0))


def test_marks_of_disputed_hits_are_read() -> None:
    found = disputed_of(_marked([0, 3], [1_795_000_000, 1_795_000_060]), _ROWS)
    assert list(found) == [0, 3]
    assert (found[3] - found[0]).total_seconds() == 60
    assert disputed_of(_marked([], []), _ROWS) == {}


@pytest.mark.parametrize(
    ("positions", "seconds"),
    [([1], [1]), ([4], [1]), ([3, 0], [1, 1]), ([0, 0], [1, 1]), ([0, 3], [1]), ([0], [2**63])],
)
def test_marks_of_anything_but_hits_are_refused(positions: list[int], seconds: list[int]) -> None:
    with pytest.raises(ClientError, match="disputed"):
        disputed_of(_marked(positions, seconds), _ROWS)


def test_marks_that_the_result_does_not_commit_to_are_refused() -> None:
    value = {"band": None, "count": None, "hits": 1, "rows": "ab" * 32}
    salt = bytes(32)
    opening = Opening(salt, canonical_json(value))
    committed = commitment("result", salt, canonical_json(value))
    check_result(committed, opening, "snf", value)
    with pytest.raises(ClientError, match="not what the log says"):
        check_result(committed, opening, "snf", {**value, "disputed": "cd" * 32})
    opened = {**value, "disputed": "cd" * 32}
    committed = commitment("result", salt, canonical_json(opened))
    with pytest.raises(ClientError, match="not what the log says"):
        check_result(committed, Opening(salt, canonical_json(opened)), "snf", value)
