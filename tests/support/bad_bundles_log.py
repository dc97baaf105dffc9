"""Bad bundles whose bytes, order, checkpoints or identity are wrong (see `bad_bundles`)."""

from __future__ import annotations

import json
from typing import Any

from audit_kit import ASK, RELEASE, START, World, played, sealed
from bad_bundles import Given, bad, leaf_line, leaf_lines, leaf_of, note_lines, notes, with_size
from log_kit import Keys, time_text

from broker.canonical import canonical_json


# the file
@bad("cut within the last line", "BUNDLE_TRUNCATED")
def cut_within_the_last_line(world: World) -> list[bytes]:
    lines = world.bundle()
    return [*lines[:-1], lines[-1][:-1]]


@bad("cut before the last line", "BUNDLE_TRUNCATED")
def cut_before_the_last_line(world: World) -> list[bytes]:
    return world.bundle()[:-1]


@bad("an empty file", "BUNDLE_TRUNCATED", "TAIL_UNSIGNED")
def an_empty_file(_: World) -> list[bytes]:
    return []


@bad("lines after the last one", "BUNDLE_TRAILING")
def lines_after_the_last_one(world: World) -> list[bytes]:
    lines = world.bundle()
    return [*lines, lines[-1]]


@bad("a sum that is not the file's", "BUNDLE_DIGEST")
def a_sum_that_is_not_the_file_s(world: World) -> list[bytes]:
    lines = world.lines()
    return [*lines, canonical_json({"lines": len(lines), "sha256": "00" * 32}) + b"\n"]


@bad("a line of white space", "BUNDLE_LINE")
def a_line_of_white_space(world: World) -> list[bytes]:
    lines = world.lines()
    return sealed([*lines[:3], b" \n", *lines[3:]])


@bad("a line nobody knows", "BUNDLE_LINE")
def a_line_nobody_knows(world: World) -> list[bytes]:
    lines = world.lines()
    return sealed([*lines[:3], b'{"remark":"nothing to see here"}\n', *lines[3:]])


@bad("more entries promised than there are", "SIZE")
def more_entries_promised(world: World) -> list[bytes]:
    return with_size(world.lines(), world.size + 1)


# entries
@bad("an entry edited after it was signed", "CHECKPOINT_ROOT", "TAIL_UNSIGNED")
def an_edited_entry(world: World) -> list[bytes]:
    lines = world.lines()
    at = leaf_lines(lines)[world.size - 1]
    return sealed([*lines[:at], leaf_line(leaf_of(lines[at]).replace(b"again", b"never")), *lines[at + 1 :]])


def _reencoded(world: World, change: Any) -> list[bytes]:
    """The last entry written otherwise, and a checkpoint over just those bytes: only its form gives it away."""
    lines = world.lines()
    at = leaf_lines(lines)[world.size - 1]
    return resigned(world, [*lines[:at], leaf_line(change(leaf_of(lines[at]))), *lines[at + 1 :]])


def resigned(world: World, lines: list[bytes]) -> list[bytes]:
    """The lines with every checkpoint made anew over the entries before it, and summed up."""
    from broker.exchange_log.checkpoint import parse_verifier_key, sign_checkpoint
    from broker.exchange_log.merkle import CompactRange, leaf_hash

    tree, key, out = CompactRange(), parse_verifier_key(world.keys.signer.verifier_key), []
    for line in lines:
        if line.startswith(b'{"leaf"'):
            tree.append(leaf_hash(leaf_of(line)))
        elif line.startswith(b'{"checkpoint"'):
            note = sign_checkpoint(world.keys.signer, key, tree.size, tree.root())
            line = canonical_json({"checkpoint": note}) + b"\n"  # noqa: PLW2901  # another line in its place
        out.append(line)
    return sealed(out)


@bad("an entry with spaces between its members", "LEAF_FORM")
def an_entry_with_spaces(world: World) -> list[bytes]:
    return _reencoded(world, lambda leaf: json.dumps(json.loads(leaf), sort_keys=True).encode())


@bad("an entry with its members in another order", "LEAF_FORM")
def an_entry_in_another_order(world: World) -> list[bytes]:
    return _reencoded(
        world, lambda leaf: json.dumps(dict(reversed(json.loads(leaf).items())), separators=(",", ":")).encode()
    )


@bad("an entry with a member twice", "LEAF_FORM")
def an_entry_with_a_member_twice(world: World) -> list[bytes]:
    return _reencoded(world, lambda leaf: leaf[:-1] + b',"v":1}')


@bad("an entry with an escape where none is needed", "LEAF_FORM")
def an_entry_with_an_escape(world: World) -> list[bytes]:
    return _reencoded(world, lambda leaf: leaf.replace(b"again", b"ag\\u0061in"))


@bad("an entry of a later version", "LEAF_FORM")
def an_entry_of_a_later_version(world: World) -> list[bytes]:
    return _reencoded(world, lambda leaf: leaf.replace(b'"v":1', b'"v":2'))


@bad("an answer whose register has a truth value for its version", "LEAF_FORM")
def a_true_version(world: World) -> None:
    world.body(RELEASE)["register"]["version"] = True


@bad("a dry run that came to something else than permit or deny", "LEAF_FORM")
def a_dry_run_that_came_to_nothing(world: World) -> None:
    (body,) = [body for kind, body in map(world.entry, range(world.size)) if kind == "evaluation"]
    body["effects"] = ["perhaps"]


@bad("an entry of an unknown kind", "LEAF_FORM")
def an_entry_of_an_unknown_kind(world: World) -> None:
    world.batch(("gossip", {}))


@bad("an entry with a member too many", "LEAF_FORM")
def an_entry_with_a_member_too_many(world: World) -> None:
    world.batch(("recovery", {"what": "x", "detail": "y", "remark": "z"}))


@bad("an entry doubled", "INDEX")
def an_entry_doubled(world: World) -> list[bytes]:
    lines = world.lines()
    at = leaf_lines(lines)[world.size - 1]
    return resigned(world, with_size([*lines[: at + 1], *lines[at:]], world.size + 1)[:-1])


@bad("two entries swapped", "INDEX")
def two_entries_swapped(world: World) -> list[bytes]:
    lines = world.lines()
    first, second = leaf_lines(lines)[3:5]
    lines[first], lines[second] = lines[second], lines[first]
    return resigned(world, lines)


@bad("an entry taken out", "INDEX", "SIZE")
def an_entry_taken_out(world: World) -> list[bytes]:
    """The last but one: a question that nobody was to see."""
    lines = world.lines()
    del lines[note_lines(lines)[-2] - 1 : note_lines(lines)[-2] + 1]
    return resigned(world, lines)


# order and time
@bad("its head cut off", "GENESIS", "INDEX", "SIZE", "CHECKPOINT_SIZE", "TAIL_UNSIGNED")
def its_head_cut_off(world: World) -> list[bytes]:
    world.batches = world.batches[:1] + [[("recovery", {"what": "x", "detail": "y"})] for _ in range(2)]
    world.times = world.times[:3]
    lines = world.lines()
    at = leaf_lines(lines)[0]
    return sealed([*lines[:at], *lines[at + 2 :]])


@bad("its head cut off and numbered anew", "GENESIS")
def its_head_cut_off_and_numbered_anew(world: World) -> World:
    log = World(keys=world.keys)
    for _ in range(3):
        log.batch(("recovery", {"what": "x", "detail": "y"}))
    return log


@bad("a second genesis", "GENESIS")
def a_second_genesis(world: World) -> None:
    world.batch(world.entry(0))


@bad("a clock that ran backwards", "TIME_ORDER")
def a_clock_that_ran_backwards(world: World) -> None:
    world.batch(("recovery", {"what": "x", "detail": "y"}))
    world.times[-1] = START


@bad("two times within one batch", "TIME_ORDER")
def two_times_within_one_batch(world: World) -> list[bytes]:
    entry = ("recovery", {"what": "x", "detail": "y"})
    world.batch(entry, entry)
    lines = world.lines()
    at = leaf_lines(lines)[world.size - 1]
    later = time_text(world.at.replace(microsecond=5)).encode()
    lines[at] = leaf_line(leaf_of(lines[at]).replace(time_text(world.at).encode(), later))
    return resigned(world, lines)


# checkpoints
@bad("a tail under no checkpoint", "TAIL_UNSIGNED")
def a_tail_under_no_checkpoint(world: World) -> list[bytes]:
    return sealed(world.lines()[:-1])


@bad("no checkpoint at all", "TAIL_UNSIGNED")
def no_checkpoint_at_all(world: World) -> list[bytes]:
    """A chain of hashes that nobody signed."""
    log = World(keys=world.keys)
    log.batch(world.entry(0), ("recovery", {"what": "x", "detail": "y"}))
    return sealed([line for line in log.lines() if not line.startswith(b'{"checkpoint"')])


@bad("checkpoints signed with another key", "CHECKPOINT_SIGNATURE", "TAIL_UNSIGNED", "LOG_KEY")
def checkpoints_signed_with_another_key(world: World) -> None:
    world.keys = Keys("thief")
    world.body(0)["verifier_key"] = world.keys.signer.verifier_key


@bad("a checkpoint with a signature of something else", "CHECKPOINT_SIGNATURE", "TAIL_UNSIGNED")
def a_checkpoint_with_a_signature_of_something_else(world: World) -> list[bytes]:
    lines = world.lines()
    last, before = (json.loads(lines[at])["checkpoint"] for at in note_lines(lines)[:-3:-1])
    mixed = last.split("\n\n")[0] + "\n\n" + before.split("\n\n")[1]
    return sealed([*lines[:-1], canonical_json({"checkpoint": mixed}) + b"\n"])


@bad("a checkpoint that is no note", "CHECKPOINT_FORM", "TAIL_UNSIGNED")
def a_checkpoint_that_is_no_note(world: World) -> list[bytes]:
    return sealed([*world.lines()[:-1], b'{"checkpoint":"all is well\\n"}\n'])


@bad("a checkpoint given twice", "CHECKPOINT_SIZE")
def a_checkpoint_given_twice(world: World) -> list[bytes]:
    lines = world.lines()
    return sealed([*lines, lines[-1]])


@bad("a forked checkpoint", "CHECKPOINT_ROOT", "TAIL_UNSIGNED")
def a_forked_checkpoint(world: World) -> list[bytes]:
    """The last checkpoint, rightly signed, over another history of the same length."""
    other = played()
    other.body(RELEASE)["result"] = "99" * 32
    return sealed([*world.lines()[:-1], other.lines()[-1]])


# another log
@bad("the first line names another log", "ORIGIN")
def the_first_line_names_another_log(world: World) -> list[bytes]:
    lines = world.lines()
    return sealed([lines[0].replace(b"sluis.example", b"other.example"), *lines[1:]])


@bad("the genesis names another log", "ORIGIN")
def the_genesis_names_another_log(world: World) -> None:
    world.body(0)["origin"] = "other.example/log"


@bad("a log of another origin whole", "ORIGIN", "CHECKPOINT_SIGNATURE", "TAIL_UNSIGNED", "LOG_KEY")
def a_log_of_another_origin_whole(world: World) -> World:
    log = World(keys=Keys("a", "other.example/log"))
    log.batch(("genesis", {**world.body(0), "origin": "other.example/log",
                           "verifier_key": log.keys.signer.verifier_key}))  # fmt: skip
    return log


@bad("a test log passed off as production", "ENVIRONMENT")
def a_test_log_passed_off_as_production(world: World) -> World:
    log = World(keys=world.keys)
    log.batch(("genesis", {**world.body(0), "environment": "production"}))
    return log


# what somebody else holds
def _without_tail(world: World) -> list[bytes]:
    del world.batches[-3:], world.times[-3:]
    return world.bundle()


@bad("its tail cut, and a later checkpoint is held", "EXPECTED_MISSING")
def its_tail_cut_checkpoint(world: World) -> Given:
    return Given(_without_tail(world), expect=notes(played())[-1].encode())


@bad("another history than that of a checkpoint that is held", "EXPECTED_DIFFERS")
def another_history_than_a_held_checkpoint(world: World) -> Given:
    """Every signature is right: the broker showed two logs."""
    world.body(RELEASE)["result"] = "99" * 32
    return Given(expect=notes(played())[-1].encode())


@bad("an expectation with a wrong signature", "EXPECTED_FORM")
def an_expectation_with_a_wrong_signature(_: World) -> Given:
    other = played()
    other.keys = Keys("thief")
    return Given(expect=notes(other)[-1].encode())


@bad("a receipt whose proof leads elsewhere", "EXPECTED_FORM")
def a_receipt_whose_proof_leads_elsewhere(world: World) -> Given:
    lines = world.lines()
    leaf = leaf_of(lines[leaf_lines(lines)[ASK]])
    held = {"leaf": json.loads(leaf_line(leaf))["leaf"], "index": ASK, "inclusion": [], "checkpoint": notes(world)[-1]}
    return Given(expect=json.dumps(held).encode())
