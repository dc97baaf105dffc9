"""What witnesses hold against the log as it stands at start: a shorter or other log than they know is refused."""

from __future__ import annotations

from collections.abc import Sequence

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import VerifierKey, parse_checkpoint
from broker.exchange_log.high_water import WAY_OUT, check_outside
from broker.ports import LogReader
from broker.witness.calling import Said, WitnessEnd, ask_newest


def ask_under(end: WitnessEnd, keys: Sequence[VerifierKey], own: str | None) -> Said:
    """What one witness holds of a log that had `keys`, oldest first: its newest may be of before the last change."""
    (newest,) = ask_newest([end], keys[-1], own)
    for key in reversed(keys[:-1]):
        if not newest.trouble:
            break
        (earlier,) = ask_newest([end], key, None)
        if earlier.note is not None:
            return earlier
    return newest


def check_witnessed(
    reader: LogReader, keys: Sequence[VerifierKey], ends: Sequence[WitnessEnd], quorum: int
) -> tuple[str, ...]:
    """Asks each witness; returns the troubles of those that gave no usable answer: an outage stops no start.

    `keys`: the log's, oldest first; of a log that is still empty, the key that is about to sign it.

    What the log's own key signed is proof, and one witness that shows it is enough. A mere word, that our tree is a
    fork or shorter than what it cosigned, is nobody's signature: it stops a start only when those who say so leave
    fewer witnesses than `quorum`, as it would stop questions later (ADR 0016).

    Raises:
        SluisError: LOG_SHRUNK, LOG_FORKED.
    """
    own = reader.checkpoint()[1] if reader.size() else None
    troubles, claims = [], []
    for end in ends:
        said = ask_under(end, keys, own)
        who = f"the witness {said.witness}"
        if said.contradicts:
            text = f"{who} refuses the log's newest checkpoint as a fork. Nothing was started; {WAY_OUT}"
            claims.append(SluisError(Code.LOG_FORKED, text))
        elif said.note is not None:
            check_outside(reader, keys[-1].name, [(who, parse_checkpoint(said.note))])
        elif said.size is None:
            troubles.append(said.trouble)
        elif said.size > reader.size():
            text = (
                f"the log's database has {reader.size()} entries, but {who} says that it cosigned {said.size}. Nothing "
                f"was started; {WAY_OUT}"
            )
            claims.append(SluisError(Code.LOG_SHRUNK, text))
    if claims and len(ends) - len(claims) < quorum:
        raise claims[0]
    return (*troubles, *("it refuses our tree, without proof" for _ in claims))
