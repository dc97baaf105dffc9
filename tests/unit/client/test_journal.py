"""The journal: on disk before anything leaves, whole after any crash, and never half-read."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from sluis_client.errors import ClientError, Exit
from sluis_client.journal import HeldEntry, Journal

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def entry(index, leaf="ab", **named):
    return {
        "what": "entry",
        "index": index,
        "kind": "ask",
        "leaf": leaf,
        "exchange": "",
        "asker": "",
        "answerer": "",
        **named,
    }


def test_lines_come_back(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.read().signed == {}
    journal.sign("d1", {"type": "sluis/v1/ask", "request_id": "r1"}, now=NOW, log_size=7)
    journal.append([entry(9, exchange="r1", answerer="snf")], now=NOW, log_size=99)
    journal.append([{"what": "withdraw", "at": "x", "name": "snf/p/2026Q4/bag"}], now=NOW, log_size=99)
    record = Journal(journal.path).read()
    assert (record.log_size, record.signed, record.exchanges) == (7, {"d1": "r1"}, {"r1"})
    assert record.entries == {9: HeldEntry(9, "ask", "ab", "r1", "", "snf")}
    assert record.withdrawn == {"snf/p/2026Q4/bag": 1}
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_cut_anywhere_it_reads_what_was_whole_and_goes_on(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for number in range(3):
        journal.append([entry(number, leaf=f"{number:02x}" * 3000)], now=NOW, log_size=5)
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    for cut in {*range(0, len(whole), 97), *ends, *(end - 1 for end in ends), *(end + 1 for end in ends[:-1])}:
        path.write_bytes(whole[:cut])
        lines = sum(end <= cut for end in ends)
        assert len(journal.read().entries) == max(0, lines - 1)
        journal.append([entry(77)], now=NOW, log_size=6)
        record = journal.read()
        assert 77 in record.entries
        assert len(record.entries) == max(0, lines - 1) + 1
        assert record.log_size == (5 if lines else 6)


@pytest.mark.parametrize("line", [b"{}", b"[]", b"x", b'{"what":"other"}', b'{"what":"entry","index":1}', b"\xff"])
def test_a_damaged_line_is_told_with_its_number(tmp_path, line):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([entry(1)], now=NOW, log_size=0)
    journal.path.write_bytes(journal.path.read_bytes() + line + b"\n")
    with pytest.raises(ClientError) as caught:
        journal.read()
    assert (caught.value.code, caught.value.exit_code) == ("STATE_UNREADABLE", Exit.KEY_TROUBLE)
    assert "is damaged in line 3: restore it" in caught.value.message
    journal.path.write_bytes(line + b"\n")
    with pytest.raises(ClientError):
        journal.read()


def test_another_machine_s_journal_counts_and_must_be_there(tmp_path):
    mine, other = Journal(tmp_path / "a"), Journal(tmp_path / "b")
    mine.append([entry(1)], now=NOW, log_size=3)
    other.append([entry(1, leaf="cd"), entry(2)], now=NOW, log_size=99)
    record = mine.read([other.path])
    assert record.log_size == 3
    assert set(record.entries) == {1, 2}
    assert [one.leaf for one in record.doubled] == ["cd"]
    with pytest.raises(ClientError) as caught:
        mine.read([tmp_path / "none"])
    assert "is not there" in caught.value.message


def test_a_disk_that_is_full_sends_nothing(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal.jsonl")

    def full(*_):
        raise OSError(28, "No space left on device")

    for call in ("write", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(f"sluis_client.journal.os.{call}", full)
            with pytest.raises(ClientError) as caught:
                journal.append([entry(1)], now=NOW, log_size=0)
            assert (caught.value.code, caught.value.exit_code) == ("STATE_UNREADABLE", Exit.KEY_TROUBLE)
            assert "Nothing was sent" in caught.value.message


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from sluis_client.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(100):
    line = {"what": "withdraw", "at": "x", "name": f"{sys.argv[2]}-{number}"}
    journal.append([line], now=datetime(2026, 1, 1, tzinfo=UTC), log_size=0)
"""


@pytest.mark.slow
def test_processes_at_once_lose_no_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "abc"]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(Journal(path).read().withdrawn) == 300
    assert sum("journal" in json.loads(line) for line in path.read_text().splitlines()) == 1
