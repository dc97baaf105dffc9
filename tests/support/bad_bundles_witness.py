"""Bad bundles about witnesses: stripped, forged and misplaced cosignatures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from audit_kit import World, sealed
from bad_bundles import Given, bad
from cosigned_lines import RULE, WITNESSES, cosigned, honest, with_cosigned
from log_kit import Keys
from witnesses import liar

from broker.exchange_log.checkpoint import parse_checkpoint, parse_verifier_key, sign_checkpoint
from broker.exchange_log.cosignature import cosign, with_lines

SECOND = timedelta(seconds=1)


def given(world: World, bend: object, **trust: object) -> Given:
    """A bundle so bent, under a trust file that demands two of three."""
    lines = sealed(with_cosigned(world, bend))
    return Given(lines, trust=world.trust_text(**{**RULE, **trust}))


def at_end(world: World, make: object) -> Given:
    """As `given`; only behind the last checkpoint stands something else than an honest cosigned one."""
    last = len(world.times) - 1

    def bend(number: int, note: str, at: datetime) -> Sequence[str]:
        return make(note, at) if number == last else honest(number, note, at)

    return given(world, bend)


def forked(world: World, note: str) -> str:
    """A checkpoint of the same size with another root, signed by the log's own key."""
    key = parse_verifier_key(world.keys.signer.verifier_key)
    return sign_checkpoint(world.keys.signer, key, parse_checkpoint(note).size, bytes(32))


def _night(world: World) -> int:
    """The last batch before a night passed."""
    return next(n for n, (one, next_) in enumerate(pairwise(world.times)) if next_ - one > timedelta(hours=12))


@bad("all cosignatures stripped", "WITNESS_QUORUM", "WITNESS_GAP")
def _stripped(world: World) -> Given:
    return given(world, lambda *_: [])


@bad("one witness where two are demanded", "WITNESS_QUORUM", "WITNESS_GAP")
def _one(world: World) -> Given:
    return given(world, lambda _n, note, at: [cosigned(note, at, WITNESSES[:1])])


@bad("witnesses that the auditor does not know", "WITNESS_QUORUM", "WITNESS_GAP")
def _unknown(world: World) -> Given:
    strangers = [liar("stranger.example/1"), liar("stranger.example/2")]
    return given(world, lambda _n, note, at: [cosigned(note, at, strangers)])


@bad("cosignatures stripped from the day before the last", "WITNESS_GAP")
def _tail(world: World) -> Given:
    night = _night(world)
    return given(world, lambda n, note, at: honest(n, note, at) if n < night else [])


@bad("cosignatures stripped in the middle", "WITNESS_GAP")
def _middle(world: World) -> Given:
    night, last = _night(world), len(world.times) - 1
    return given(world, lambda n, note, at: honest(n, note, at) if n < night or n == last else [])


@bad("a cosignature by another key under a witness's name", "COSIGNATURE_WRONG")
def _forged(world: World) -> Given:
    other = liar("nobody")

    def make(note: str, at: datetime) -> list[str]:
        line = cosign(WITNESSES[0].public, other.sign, parse_checkpoint(note).body, at)
        return [with_lines(cosigned(note, at, WITNESSES[1:2]), [line])]

    return at_end(world, make)


@bad("a cosignature of another root", "COSIGNATURE_WRONG")
def _other_root(world: World) -> Given:
    def make(note: str, at: datetime) -> list[str]:
        fork = forked(world, note)
        line = cosign(WITNESSES[0].public, WITNESSES[0].sign, parse_checkpoint(fork).body, at)
        return [with_lines(cosigned(note, at, WITNESSES[1:2]), [line])]

    return at_end(world, make)


@bad("a cosigned checkpoint of a fork", "COSIGNED_DIFFERS")
def _fork(world: World) -> Given:
    def make(note: str, at: datetime) -> list[str]:
        fork = forked(world, note)
        return [cosigned(fork, at)]

    return at_end(world, make)


@bad("a cosigned checkpoint that the log did not sign", "COSIGNED_FORM")
def _not_signed(world: World) -> Given:
    def make(note: str, at: datetime) -> list[str]:
        tree = parse_checkpoint(note)
        signer = Keys("other").signer
        return [cosigned(sign_checkpoint(signer, parse_verifier_key(signer.verifier_key), tree.size, tree.root), at)]

    return at_end(world, make)


@bad("a cosigned checkpoint that is no note", "COSIGNED_FORM")
def _no_note(world: World) -> Given:
    return at_end(world, lambda note, at: [cosigned(note, at)[:-2]])


@bad("a cosignature older than what it covers", "COSIGNATURE_TIME")
def _early(world: World) -> Given:
    return at_end(world, lambda note, at: [cosigned(note, at - timedelta(minutes=11))])


@bad("cosignatures whose time goes back", "COSIGNATURE_TIME")
def _backwards(world: World) -> Given:
    return at_end(world, lambda note, at: [cosigned(note, at - 3 * SECOND)])


@bad("entries dated back behind a cosigned checkpoint", "COSIGNATURE_TIME")
def _back_dated(world: World) -> Given:
    last = len(world.times) - 2
    return given(
        world,
        lambda n, note, at: (
            [cosigned(note, at + timedelta(minutes=11))] if n == last else honest(n, note, at)[: n < last]
        ),
    )


@bad("a cosigned checkpoint that stands alone", "BUNDLE_LINE")
def _alone(world: World) -> Given:
    return at_end(world, lambda note, at: [*honest(0, note, at), *honest(0, note, at)])
