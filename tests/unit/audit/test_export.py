"""Exporting a real log: the bundle of a store verifies, and is what the test's own writer writes."""

from pathlib import Path

import pytest
from audit_kit import World, played, policy_bundle
from log_kit import FakeClock, Log

from broker.audit.export import bundle_lines
from broker.audit.trust import Trust
from broker.audit.verify import verify
from broker.errors import Code, SluisError
from broker.ports import Transaction
from broker.storage.sqlite import open_reader


def store_world(world: World, log: Log, clock: FakeClock) -> None:
    """Logs the world's entries through the sequencer, each batch at its time."""
    for number, (batch, at) in enumerate(zip(world.batches, world.times, strict=True)):
        clock.at = at
        if number == 0:
            log.open()
            continue

        def work(tx: Transaction, batch: list[tuple[str, dict[str, object]]] = batch) -> None:
            for kind, body in batch:
                tx.append(kind, body)
            if batch[0][0] == "policy":
                tx.put_document("policy-set", world.policies.digest, world.archive[0])
                tx.put_document("policy-archive", f"{world.policies.digest}/1", world.archive[0])

        log.sequencer.submit(work)


def test_a_stored_log_exports_and_verifies(tmp_path: Path) -> None:
    world, clock = played(), FakeClock()
    log = Log(tmp_path, world.keys, clock)
    store_world(world, log, clock)
    lines = list(bundle_lines(log.reader))
    assert lines == world.bundle()
    assert verify(lines, world.trust()).verified
    log.close()


def test_export_beside_a_running_broker_and_after_it(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        trust = _trust(log)
        reader = open_reader(log.path)
        assert verify(bundle_lines(reader), trust).verified
        going = bundle_lines(reader)
        first = [next(going), next(going)]
        log.sequencer.submit(lambda tx: tx.append("recovery", {"what": "x", "detail": "y"}))
        report = verify([*first, *going], trust)
        assert report.verified, "an export is of the log as it stood when it began"
        assert report.size == 1
        reader.close()
    reader = open_reader(log.path)
    report = verify(bundle_lines(reader), trust)
    assert (report.verified, report.size) == (True, 2)
    reader.close()


def test_an_empty_log_has_no_bundle(tmp_path: Path) -> None:
    log = Log(tmp_path)
    with pytest.raises(SluisError) as caught:
        list(bundle_lines(log.reader))
    assert caught.value.code is Code.NOT_FOUND
    log.close()


def test_both_revisions_of_one_meaning_are_exported(tmp_path: Path) -> None:
    old, new = policy_bundle(), policy_bundle(revision=2, note="again")
    with Log(tmp_path) as log:

        def work(tx: Transaction) -> None:
            tx.put_document("policy-set", "d", new)
            tx.put_document("policy-archive", "d/1", old)
            tx.put_document("policy-archive", "d/2", new)

        log.sequencer.submit(work)
        lines = list(bundle_lines(log.reader))
        assert sum(line.startswith(b'{"policy_set"') for line in lines) == 2


def _trust(log: Log) -> Trust:
    world = World(keys=log.keys)
    return world.trust()
