"""The witnesses of a configuration: to call them, and to be witnessed by them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from broker.config import Config
from broker.errors import Code, SluisError
from broker.exchange_log.append import Sequencer
from broker.exchange_log.checkpoint import parse_checkpoint, parse_verifier_key
from broker.exchange_log.ending import sealed_for
from broker.exchange_log.opening import key_periods
from broker.ports import Clock, LogReader
from broker.witness.calling import Said, WitnessEnd
from broker.witness.starting import ask_under, check_witnessed
from broker.witness.watched import Watched

log = structlog.get_logger("broker.witness")


def witness_ends(config: Config) -> tuple[WitnessEnd, ...]:
    """The witnesses of a configuration, to call; none when the log runs unwitnessed. Raises CONFIG_INVALID."""
    if config.witness is None:
        return ()
    return tuple(
        WitnessEnd(one.url, key, ca_file=config.witness.ca_file)
        for one, key in zip(config.witness.witnesses, config.witness.keys, strict=True)
    )


def ask_at_start(config: Config, reader: LogReader, keys: Sequence[str]) -> None:
    """What the witnesses hold of the log whose `keys` these are, oldest first; an outage is logged. As
    `check_witnessed`."""
    quorum = config.witness.quorum if config.witness else 0
    parsed = [parse_verifier_key(key) for key in keys]
    for trouble in check_witnessed(reader, parsed, witness_ends(config), quorum):
        log.warning("witness not asked at start", origin=config.origin, state=trouble)


def watch(config: Config, reader: LogReader, sequencer: Sequencer, log_key: str, clock: Clock) -> Watched:
    """The broker's side of being witnessed, not started yet; the log has its genesis. Raises CONFIG_INVALID."""
    witness = config.witness
    return Watched(
        witness_ends(config),
        quorum=witness.quorum if witness else 0,
        grace=timedelta(minutes=witness.grace_minutes if witness else 0),
        reader=reader,
        submit=lambda work: sequencer.submit(work).value,
        log_key=parse_verifier_key(log_key),
        clock=clock,
        earlier_keys=[parse_verifier_key(text) for _, text in key_periods(reader)[:-1]],
    )


def examine_witnesses(config: Config, reader: LogReader) -> str:
    """What the witnesses hold of this log, for `sluis doctor`. Asks each over the network; changes nothing.

    Raises:
        SluisError: LOG_FORKED or LOG_SHRUNK when one shows a tree that this log does not hold; LOG_UNWITNESSED when
            fewer answer than the quorum, or hold the seal of a log that was sealed.
    """
    if config.witness is None:
        return "none: the log runs unwitnessed, so its operator could rewrite what nobody else holds"
    _, own = reader.checkpoint()
    keys = [parse_verifier_key(text) for _, text in key_periods(reader)]
    said = [ask_under(end, keys, own) for end in witness_ends(config)]
    words = ", ".join(_words(one) for one in said)
    if any(one.size is not None and one.size > reader.size() for one in said):
        raise SluisError(Code.LOG_SHRUNK, f"this log has {reader.size()} entries; {words}")
    if any(one.contradicts or not _holds(reader, one) for one in said):
        raise SluisError(Code.LOG_FORKED, words)
    if sum(one.size is not None for one in said) < config.witness.quorum:
        raise SluisError(Code.LOG_UNWITNESSED, f"{words}; needed: {config.witness.quorum}")
    whole = sum(one.size == reader.size() for one in said)
    if sealed_for(reader) is not None and whole < config.witness.quorum:
        # nobody offers the end of a sealed log by itself: no broker serves it any more
        text = f"{words}; the seal is the last entry and {whole} of {len(said)} witnesses hold it"
        raise SluisError(Code.LOG_UNWITNESSED, f"{text}: run `sluis seal` again, which asks them to cosign it")
    return words


def _holds(reader: LogReader, said: Said) -> bool:
    """Whether our log signed the very tree that the witness shows."""
    if said.note is None or said.size is None:
        return True
    size, note = reader.checkpoint(said.size)
    return size == said.size and parse_checkpoint(note).root == parse_checkpoint(said.note).root


def _words(said: Said) -> str:
    if said.contradicts:
        return f"{said.witness} holds another tree"
    return f"{said.witness}: {said.trouble}" if said.size is None else f"{said.witness} holds {said.size} entries"
