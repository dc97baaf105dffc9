"""Time stamps in a bundle (RFC 3161): good ones are told, every kind of bad one has its code."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from audit_kit import World, b64, played, sealed
from cryptography.x509.oid import ExtendedKeyUsageOID
from test_standalone import one_file
from time_stamper import SHA1, SHA256, Issued, Stamper, issue
from typer.testing import CliRunner

from broker.audit.findings import Code, Fault, Findings, Report
from broker.audit.stamps import Stamps
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.canonical import canonical_json
from broker.cli.audit.root import app
from broker.errors import SluisError

WORLD = played()
LINES = WORLD.lines()
STAMPER = Stamper()
CHECKPOINTS = [at for at, line in enumerate(LINES) if line.startswith(b'{"checkpoint"')]
FIRST, LAST = CHECKPOINTS[5], CHECKPOINTS[-1]
LATE = WORLD.at + timedelta(minutes=5)


def note_text(at: int) -> bytes:
    """The bytes that the signatures of the checkpoint on line `at` are over."""
    return str(json.loads(LINES[at])["checkpoint"]).partition("\n\n")[0].encode() + b"\n"


def size_at(at: int) -> int:
    return int(note_text(at).split(b"\n")[1])


def stamp(at: int, token: bytes | str, size: int | None = None) -> bytes:
    text = token if isinstance(token, str) else b64(token)
    return canonical_json({"timestamp": {"size": size_at(at) if size is None else size, "token": text}}) + b"\n"


def with_stamps(*stamps: tuple[int, bytes]) -> list[bytes]:
    """The bundle with lines put in behind lines; later places first, so that places hold."""
    lines = list(LINES)
    for at, line in sorted(stamps, key=lambda item: item[0], reverse=True):
        lines.insert(at + 1, line)
    return sealed(lines)


def checked(*stamps: tuple[int, bytes], roots: tuple[Issued, ...] = (STAMPER.root,)) -> Report:
    return verify(with_stamps(*stamps), WORLD.trust(time_stampers=[root.pem for root in roots]))


def good(at: int, **options: object) -> tuple[int, bytes]:
    return at, stamp(at, STAMPER.token(note_text(at), LATE, **options))


def test_good_stamps_are_told() -> None:
    report = checked(good(FIRST), good(LAST, algorithm=SHA256))
    assert report.verified, report.findings
    assert (report.stamps, report.stamps_unchecked) == (2, 0)
    assert report.stamped is not None
    assert (report.stamped.size, report.stamped.by) == (WORLD.size, "CN=Test time stamper")
    assert report.stamped.at == LATE.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_without_time_stampers_in_the_trust_file_nothing_is_said_of_them() -> None:
    lines = with_stamps((FIRST, stamp(FIRST, b"not a token")), good(LAST))
    report = verify(lines, WORLD.trust())
    assert report.verified
    assert (report.stamps, report.stamps_unchecked, report.stamped) == (0, 2, None)


def other(**options: object) -> Stamper:
    return Stamper(root=STAMPER.root, signer=issue("signer", STAMPER.root, **options))


def of(stamper: Stamper, at: int = LAST, when: datetime = LATE) -> tuple[int, bytes]:
    return at, stamp(at, stamper.token(note_text(at), when))


def test_a_stamp_stands_behind_the_cosigned_checkpoint_too() -> None:
    cosigned = canonical_json({"cosigned": json.loads(LINES[LAST])["checkpoint"]}) + b"\n"
    lines = [*LINES[: LAST + 1], cosigned, good(LAST)[1], *LINES[LAST + 1 :]]
    report = verify(sealed(lines), WORLD.trust(time_stampers=[STAMPER.root.pem]))
    assert report.verified, report.findings
    assert (report.cosigned_unchecked, report.stamps) == (1, 1)


EXPIRED = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
BAD: dict[str, tuple[Code, Callable[[], tuple[tuple[int, bytes], ...]]]] = {
    "no DER": (Code.STAMP_FORM, lambda: ((LAST, stamp(LAST, b"hello")),)),
    "empty": (Code.STAMP_FORM, lambda: ((LAST, stamp(LAST, b"")),)),
    "no base64": (Code.STAMP_FORM, lambda: ((LAST, stamp(LAST, "***")),)),
    "another base64": (Code.STAMP_FORM, lambda: ((LAST, stamp(LAST, b64(STAMPER.token(b"x", LATE)) + "\n")),)),
    "cut": (Code.STAMP_FORM, lambda: ((LAST, stamp(LAST, STAMPER.token(note_text(LAST), LATE)[:-9])),)),
    "too long": (Code.STAMP_FORM, lambda: ((LAST, stamp(LAST, bytes(70_000))),)),
    "another checkpoint": (Code.STAMP_DIFFERS, lambda: ((LAST, stamp(LAST, STAMPER.token(note_text(FIRST), LATE))),)),
    "SHA-1": (Code.STAMP_DIFFERS, lambda: (good(LAST, algorithm=SHA1),)),
    "another CA": (Code.STAMP_SIGNATURE, lambda: (of(Stamper()),)),
    "no time stamper": (Code.STAMP_SIGNATURE, lambda: (of(other(usage=ExtendedKeyUsageOID.SERVER_AUTH)),)),
    "no usage": (Code.STAMP_SIGNATURE, lambda: (of(other(usage=None)),)),
    "usage not critical": (Code.STAMP_SIGNATURE, lambda: (of(other(critical=False)),)),
    "expired then": (Code.STAMP_SIGNATURE, lambda: (of(other(valid=EXPIRED)),)),
    "early": (Code.STAMP_EARLY, lambda: (of(STAMPER, when=WORLD.at - timedelta(seconds=62)),)),
    "backwards": (Code.STAMP_ORDER, lambda: (good(FIRST), of(STAMPER, when=LATE - timedelta(seconds=30)))),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_stamp_has_its_code(name: str) -> None:
    code, make = BAD[name]
    report = checked(*make())
    assert set(report.counts) == {code.name}
    assert report.exit_code == Fault.STAMP == 20


def test_every_code_of_stamps_is_shown() -> None:
    assert {code for code, _ in BAD.values()} == {code for code in Code if code.fault is Fault.STAMP} - {Code.STAMP_GAP}


def test_a_stamp_a_little_early_is_the_difference_of_two_clocks() -> None:
    assert checked(of(STAMPER, when=WORLD.at - timedelta(seconds=59))).verified


def test_random_changes_to_a_token_give_a_report_and_never_an_exception() -> None:
    rng, token = random.Random(4), STAMPER.token(note_text(LAST), LATE)
    stamps = Stamps(WORLD.trust(time_stampers=[STAMPER.root.pem]), Findings())
    seen: set[str] = set()
    for _ in range(3_000):
        changed = bytearray(token)
        for _ in range(rng.choice((1, 2, 5))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        cut = changed if rng.random() < 0.8 else changed[: rng.randrange(len(changed))]
        value = {"size": size_at(LAST), "token": b64(bytes(cut))}
        assert stamps.check(value, size_at(LAST), note_text(LAST), WORLD.at, 1) is (value["token"] not in seen)
        seen.add(value["token"])
    assert stamps.newest is None or stamps.newest == checked(good(LAST)).stamped


def test_flipped_bits_never_give_another_time_or_a_stamp_of_something_else() -> None:
    """Fields outside the signature may be flipped; what a token says may not."""
    token = STAMPER.token(note_text(LAST), LATE)
    for at in range(0, len(token), 97):
        flipped = token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :]
        report = checked((LAST, stamp(LAST, flipped)))
        assert report.stamped is None or report.stamped == checked(good(LAST)).stamped
        assert report.verified or report.exit_code == 20


@pytest.mark.parametrize(
    "lines",
    [
        with_stamps((FIRST + 1, stamp(FIRST, b"x"))),
        with_stamps((FIRST, stamp(FIRST, b"x", size=3))),
        with_stamps((FIRST, canonical_json({"timestamp": {"size": size_at(FIRST)}}) + b"\n")),
        with_stamps((FIRST, canonical_json({"timestamp": {"size": size_at(FIRST), "token": 5}}) + b"\n")),
        with_stamps((FIRST, canonical_json({"timestamp": "x"}) + b"\n")),
        with_stamps((0, stamp(FIRST, b"x", size=0))),
        with_stamps(*[good(FIRST)] * 2),
    ],
    ids=["behind a leaf", "another size", "no token", "a number", "a text", "before all", "twice"],
)
def test_a_stamp_stands_behind_the_checkpoint_of_its_size(lines: list[bytes]) -> None:
    for trust in (WORLD.trust(), WORLD.trust(time_stampers=[STAMPER.root.pem])):
        report = verify(lines, trust)
        assert set(report.counts) == {"BUNDLE_LINE"}
        assert report.exit_code == 10


def test_the_trust_file_with_time_stampers_has_another_fingerprint() -> None:
    plain, stamping = WORLD.trust(), WORLD.trust(time_stampers=[STAMPER.root.pem])
    assert plain.fingerprint != stamping.fingerprint
    twice = WORLD.trust(time_stampers=[STAMPER.root.pem, STAMPER.root.pem])
    assert twice.fingerprint == stamping.fingerprint
    for wrong in ("time_stampers: []\n", "time_stampers: [no PEM]\n"):
        with pytest.raises(Exception, match="time_stampers"):
            parse_trust(WORLD.trust_text() + wrong)


def test_the_command_says_how_far_and_when(tmp_path: Path) -> None:
    bundle, trust = tmp_path / "b", tmp_path / "t"
    bundle.write_bytes(b"".join(with_stamps(good(FIRST))))
    trust.write_text(WORLD.trust_text(time_stampers=[STAMPER.root.pem]))
    said = CliRunner().invoke(app, ["verify", str(bundle), "--trust", str(trust)])
    later = WORLD.size - size_at(FIRST)
    assert said.exit_code == 0
    assert f"stamped to {size_at(FIRST)} at {LATE:%Y-%m-%dT%H:%M:%S}Z by CN=Test time stamper" in said.stdout
    assert f"{later} later entries are not stamped" in said.stdout
    as_json = json.loads(CliRunner().invoke(app, ["verify", str(bundle), "--trust", str(trust), "--json"]).stdout)
    assert as_json["stamped"]["size"] == size_at(FIRST)
    assert "none that hold" not in said.stdout
    bundle.write_bytes(b"".join(with_stamps()))
    stripped = CliRunner().invoke(app, ["verify", str(bundle), "--trust", str(trust)])
    assert "time stamps  none that hold, though the trust file names time_stampers" in stripped.stdout
    bundle.write_bytes(b"".join(with_stamps(good(FIRST))))
    trust.write_text(WORLD.trust_text())
    said = CliRunner().invoke(app, ["verify", str(bundle), "--trust", str(trust)])
    assert "1 not checked: the trust file names no time_stampers" in said.stdout
    assert "stampers     1" not in CliRunner().invoke(app, ["trust", "show", str(trust)]).stdout


def due(*stamps: tuple[int, bytes], hours: int, since: int = 0, world: World = WORLD) -> Report:
    trust = world.trust(time_stampers=[STAMPER.root.pem], stamp_max_gap_hours=hours, stamp_from=since)
    return verify(with_stamps(*stamps) if world is WORLD else world.bundle(), trust)


def test_stamps_that_were_taken_out_are_a_finding_where_they_are_due() -> None:
    """The played log is over a day long: of two hours, some entries stand too long without a stamp."""
    assert checked().verified, "without a rule nothing is missed"
    stripped = due(hours=2)
    assert (stripped.counts, stripped.exit_code) == ({"STAMP_GAP": 1}, 20)
    (finding,) = stripped.findings
    assert finding.index is not None
    times = [at for at, batch in zip(WORLD.times, WORLD.batches, strict=True) for _ in batch]
    assert times[finding.index] > times[0] + timedelta(hours=2) >= times[finding.index - 1]
    assert due(hours=48).verified


def on_time(at: int) -> tuple[int, bytes]:
    """A stamp made a minute after the last entry that the checkpoint on line `at` covers."""
    times = [time for time, batch in zip(WORLD.times, WORLD.batches, strict=True) for _ in batch]
    return at, stamp(at, STAMPER.token(note_text(at), times[size_at(at) - 1] + timedelta(minutes=1)))


def test_a_stamp_in_time_ends_the_wait_and_a_late_one_does_not_help() -> None:
    every = [on_time(at) for at in CHECKPOINTS]
    assert due(*every, hours=1).verified
    assert due(*every[-1:], hours=48).verified
    assert due(*every[:3], hours=2).counts == {"STAMP_GAP": 1}
    late = (LAST, stamp(LAST, STAMPER.token(note_text(LAST), WORLD.at + timedelta(hours=60))))
    report = due(late, hours=48)
    assert report.counts == {"STAMP_GAP": 1}
    assert report.findings[0].line is not None
    assert due(*every[:3], hours=2, since=WORLD.size - 1).verified, "where stamping began"


def test_a_bad_stamp_covers_nothing() -> None:
    every = dict(on_time(at) for at in CHECKPOINTS)
    for at in CHECKPOINTS:
        every[at] = stamp(at, b"no token")
    assert due(*every.items(), hours=2).counts == {"STAMP_GAP": 1, "STAMP_FORM": len(CHECKPOINTS)}


@pytest.mark.parametrize(
    "lines",
    ["stamp_max_gap_hours: 24\n", "stamp_from: 3\n", "stamp_max_gap_hours: 0\n", "stamp_max_gap_hours: 8761\n"],
)
def test_a_rule_without_stampers_or_of_no_length_is_refused(lines: str) -> None:
    stampers = (
        "" if "24" in lines or "from" in lines else "time_stampers:\n- |\n  " + STAMPER.root.pem.replace("\n", "\n  ")
    )
    text = f"{WORLD.trust_text()}{stampers.rstrip()}\n{lines}"
    with pytest.raises(SluisError, match="stamp_max_gap_hours"):
        parse_trust(text)
    with pytest.raises(one_file.Malformed):
        one_file.read_trust(text)


def test_the_rule_is_part_of_the_fingerprint_in_both() -> None:
    stampers = {"time_stampers": [STAMPER.root.pem]}
    texts = [
        WORLD.trust_text(**stampers, **more) for more in ({}, {"stamp_max_gap_hours": 24}, {"stamp_max_gap_hours": 25})
    ]
    assert len({parse_trust(text).fingerprint for text in texts}) == 3
    assert [one_file.read_trust(text).fingerprint for text in texts] == [
        parse_trust(text).fingerprint for text in texts
    ]
    zero = WORLD.trust(**stampers, stamp_max_gap_hours=24, stamp_from=0)
    assert zero.fingerprint == parse_trust(texts[1]).fingerprint
