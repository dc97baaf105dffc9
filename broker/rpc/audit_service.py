"""AuditService: read-only by construction, but for the `access` entries of what was read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

import grpc
from sluis.v1 import audit_pb2, audit_pb2_grpc

from broker.errors import Code, field_error
from broker.exchange import Question, Receipt
from broker.exchange_log.append import Sequencer
from broker.exchange_log.cosignature import NEWEST
from broker.ports import LogReader, StoredEntry
from broker.rpc import convert
from broker.rpc.interceptors import Call, StreamSlots, call_of
from broker.subject_search import MAX_MATCH_KEYS, Searched, SubjectSearch, Unsearched

WATCH_PAGE = 100
PAGE_BYTES = 512 * 1024
"""A page ends before it outgrows a message, however long its leaves are; it holds at least one."""
SEARCHES_AT_ONCE = 2
RECEIPT_KINDS = frozenset({"ask", "release"})


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Reads the log for those it concerns."""

    def __init__(
        self,
        *,
        reader: LogReader,
        sequencer: Sequencer,
        verifier_key: str,
        receipt: Callable[[int], Receipt],
        subjects: SubjectSearch,
        slots: StreamSlots,
        pause: Callable[[float], None],
    ) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._verifier_key = verifier_key
        self._receipt = receipt
        self._subjects = subjects
        self._searching = StreamSlots(SEARCHES_AT_ONCE, 1)
        self._slots = slots
        self._pause = pause

    def GetCheckpoint(
        self, request: audit_pb2.GetCheckpointRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetCheckpointResponse:
        """See audit.proto."""
        _, checkpoint = self._reader.checkpoint()
        cosigned = self._reader.document(*NEWEST) or b""
        return audit_pb2.GetCheckpointResponse(
            checkpoint=checkpoint, verifier_key=self._verifier_key, cosigned=cosigned.decode()
        )

    def ListEntries(
        self, request: audit_pb2.ListEntriesRequest, context: grpc.ServicerContext
    ) -> audit_pb2.ListEntriesResponse:
        """See audit.proto. An auditor's read of others' entries is an entry itself."""
        call = call_of(context)
        size = convert.page_size(request.page_size, 100, 1000)
        total = self._start(request.from_index)
        if call.caller.is_auditor:
            stop = min(total, request.from_index + size)
            entries = _page(self._reader.entries(request.from_index, stop))
            body = {"party": call.caller.party, "what": "entries", "exchange": None}
            if entries:
                self._sequencer.submit(lambda tx: tx.append("access", body))
            next_index = entries[-1].index + 1 if entries else stop
        else:
            found = self._reader.entries_of(call.caller.party, request.from_index, size)
            entries = _page(found)
            whole = len(entries) == len(found) < size
            next_index = total if whole else entries[-1].index + 1
        return audit_pb2.ListEntriesResponse(
            entries=[audit_pb2.LogEntry(index=entry.index, leaf=entry.leaf) for entry in entries],
            next_index=next_index,
        )

    def GetInclusionProof(
        self, request: audit_pb2.GetInclusionProofRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetInclusionProofResponse:
        """See audit.proto."""
        size = self._size(request.tree_size, "tree_size")
        if request.index >= size:
            raise field_error(Code.FIELD_INVALID, "index", "must be less than the tree size")
        proof = self._reader.inclusion(request.index, size)
        return audit_pb2.GetInclusionProofResponse(inclusion=proof, tree_size=size)

    def GetConsistencyProof(
        self, request: audit_pb2.GetConsistencyProofRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetConsistencyProofResponse:
        """See audit.proto."""
        self._size(request.new_size, "new_size")
        new, checkpoint = self._reader.checkpoint(request.new_size)
        if not 1 <= request.old_size <= new:
            raise field_error(Code.FIELD_INVALID, "old_size", "is 1 to the new size")
        proof = self._reader.consistency(request.old_size, new)
        return audit_pb2.GetConsistencyProofResponse(consistency=proof, checkpoint=checkpoint)

    def ListReceipts(
        self, request: audit_pb2.ListReceiptsRequest, context: grpc.ServicerContext
    ) -> audit_pb2.ListReceiptsResponse:
        """See audit.proto."""
        size = convert.page_size(request.page_size, 100, 1000)
        exchange = convert.text(request.exchange, "exchange", "uuid", optional=True)
        self._start(request.from_index)
        receipts: list[Receipt] = []
        at, weight = request.from_index, 0
        while len(receipts) < size and weight < PAGE_BYTES:
            page = self._reader.entries_of(call_of(context).caller.party, at, size)
            if not page:
                break
            for entry in page:
                at = entry.index + 1
                if _is_receipt(entry, exchange):
                    receipts.append(self._receipt(entry.index))
                    weight += len(entry.leaf)
                if len(receipts) == size or weight >= PAGE_BYTES:
                    break
        return audit_pb2.ListReceiptsResponse(
            receipts=[convert.receipt_message(receipt) for receipt in receipts], next_index=at
        )

    def WatchReceipts(
        self, request: audit_pb2.WatchReceiptsRequest, context: grpc.ServicerContext
    ) -> Iterator[audit_pb2.WatchReceiptsResponse]:
        """See audit.proto. Ends with the call's deadline; the caller goes on from the last index it got."""
        call = call_of(context)
        self._start(request.from_index)
        with self._slots.slot(call.caller.party):
            yield from self._watch(call, request.from_index)

    def SearchSubject(
        self, request: audit_pb2.SearchSubjectRequest, context: grpc.ServicerContext
    ) -> Iterator[audit_pb2.SearchSubjectResponse]:
        """See audit.proto."""
        call = call_of(context)
        signed = convert.signed(request.signed, "signed")
        if len(request.salt) != 32:
            raise field_error(Code.LENGTH_WRONG, "salt", "has 32 bytes")
        if not 1 <= len(request.pseudonyms) <= MAX_MATCH_KEYS:
            raise field_error(Code.COUNT_WRONG, "pseudonyms", "has one column for each match key")
        record = Question(convert.pseudonym_columns(request.pseudonyms, len(request.pseudonyms), "pseudonyms"))
        with self._slots.slot(call.caller.party):
            with self._searching.slot(call.caller.party):
                done = self._subjects.search(call.caller, signed, request.salt, record, call.context.is_active)
            yield audit_pb2.SearchSubjectResponse(summary=_summary(done))
            for ask in done.found:
                yield audit_pb2.SearchSubjectResponse(found=self._touched(ask.ask_index, ask.release_index))

    def _touched(self, ask: int, release: int | None) -> audit_pb2.TouchedExchange:
        found = audit_pb2.TouchedExchange(ask=convert.receipt_message(self._receipt(ask)))
        if release is not None:
            found.release.CopyFrom(convert.receipt_message(self._receipt(release)))
        return found

    def _watch(self, call: Call, start: int) -> Iterator[audit_pb2.WatchReceiptsResponse]:
        at = start
        while call.context.is_active():
            page = self._reader.entries_of(call.caller.party, at, WATCH_PAGE)
            for entry in page:
                at = entry.index + 1
                if _is_receipt(entry, ""):
                    yield audit_pb2.WatchReceiptsResponse(receipt=convert.receipt_message(self._receipt(entry.index)))
            if not page:
                self._pause(0.5)

    def _start(self, index: int) -> int:
        """Refuses an index behind the end; returns where that is."""
        total = self._reader.size()
        if index > total:
            raise field_error(Code.FIELD_INVALID, "from_index", "lies behind the end of the log")
        return total

    def _size(self, asked: int, field: str) -> int:
        total = self._reader.size()
        if asked > total:
            raise field_error(Code.FIELD_INVALID, field, "is larger than the log")
        return asked or total


def _summary(done: Searched) -> audit_pb2.SubjectSearched:
    return audit_pb2.SubjectSearched(
        receipt=convert.receipt_message(done.receipt),
        searched=done.searched,
        unsearched=[_unsearched(one) for one in done.unsearched],
        found=len(done.found),
    )


def _unsearched(one: Unsearched) -> audit_pb2.UnsearchedQuestions:
    return audit_pb2.UnsearchedQuestions(
        reason=audit_pb2.UNSEARCHED_REASON_ERASED if one.erased else audit_pb2.UNSEARCHED_REASON_NEVER_HELD,
        questions=one.asks,
        first=convert.timestamp(one.first),
        last=convert.timestamp(one.last),
    )


def _page(entries: Iterable[StoredEntry]) -> tuple[StoredEntry, ...]:
    """Entries up to PAGE_BYTES of leaves, and at least one."""
    page: list[StoredEntry] = []
    weight = 0
    for entry in entries:
        page.append(entry)
        weight += len(entry.leaf)
        if weight >= PAGE_BYTES:
            break
    return tuple(page)


def _is_receipt(entry: StoredEntry, exchange: str) -> bool:
    leaf = json.loads(entry.leaf)
    return leaf["kind"] in RECEIPT_KINDS and exchange in {"", leaf["body"]["exchange"]}
