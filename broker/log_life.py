"""The life of a log on the host: its high-water file, its keys, its end and the log that follows."""

from __future__ import annotations

from datetime import datetime

from broker.app import begin_high_water, high_water_mark, open_log, verifier_key
from broker.config import Config
from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.high_water import check_mark
from broker.exchange_log.opening import check_tree
from broker.ports import Mark


def make_high_water(config: Config, now: datetime, *, replace: bool = False) -> Mark:
    """Makes the high-water file of a log that is there already, from its newest checkpoint; returns the mark.

    A file that is whole and of this log is never replaced: a log that does not hold its tree must not pass so.

    Raises:
        SluisError: CONFIG_INVALID without `high_water`; HIGH_WATER_UNUSABLE when a file is there and must not be
            replaced; LOG_SHRUNK, LOG_FORKED; NOT_FOUND without a log; what `check_tree` raises.
    """
    path = config.high_water
    if path is None:
        raise SluisError(
            Code.CONFIG_INVALID, "set `high_water` in broker.yaml first: a path on another volume than data"
        )
    reader = open_log(config)
    try:
        checkpoint = check_tree(reader, parse_verifier_key(verifier_key(config)))
        _, note = reader.checkpoint(checkpoint.size)
        if path.exists():
            held = _readable(config)
            if held is not None and held.origin == config.origin:
                check_mark(reader, config.origin, held)
                raise SluisError(
                    Code.HIGH_WATER_UNUSABLE,
                    f"{path}: the high-water file is whole ({held.size} entries) and stays; there is nothing to do",
                )
            if not replace:
                raise SluisError(
                    Code.HIGH_WATER_UNUSABLE,
                    f"{path}: the file is damaged or of another log; --replace sets it aside as {path.name}.old",
                )
    finally:
        reader.close()
    mark = Mark(config.origin, 1, checkpoint.size, checkpoint.root, note, now)
    begin_high_water(config, mark, replace=replace)
    return mark


def _readable(config: Config) -> Mark | None:
    try:
        return high_water_mark(config)
    except SluisError:
        return None
