"""What entries of rectification say, in a few words: corrections, disputes, outcomes and notices."""

from __future__ import annotations

from broker.audit.entries import LogEntry

KINDS = frozenset({"correction", "outcome", "notice"})


def rectified_words(entry: LogEntry) -> str:
    """What happened, in a few words."""
    body = entry.body
    statement = body.get("statement", {})
    if entry.kind == "correction":
        left = f", {body['unsearched']:,} exchanges erased" if body["unsearched"] else ""
        told = f"{body['searched']:,} exchanges searched{left}; notices and blanks behind it: {body['notices']:,}"
        return f"{body['purpose']} {body['epoch']}: {statement.get('what')}, {statement.get('reason')}; {told}"
    if entry.kind == "outcome":
        return f"{body['purpose']}: a match was {statement.get('outcome')}, by function {statement.get('role')}"
    if body["what"] == "dispute-notice":
        return f"{body['purpose']}: disputed, {statement.get('reason')}; notice {body['notice'][:8]}"
    if body["what"] == "correction-notice":
        count = len(body["asks"])
        touched = f"{count:,} exchange{'' if count == 1 else 's'}"
        return f"{body['purpose']}: told of correction {body['correction']}, {touched}; notice {body['notice'][:8]}"
    if body["what"] == "correction-blank":
        return f"{body['purpose']}: tells nobody, behind correction {body['correction']}"
    if body["what"] == "acknowledged":
        return f"{body['purpose']}: acknowledged, {statement.get('done')}; notice {body['notice'][:8]}"
    if body["what"] == "unusual-use":
        return f"{body['purpose']}: unusual use explained as {statement.get('explanation')}; item {body['notice'][:8]}"
    if body["what"] == "canaries":
        rows = f"{statement.get('rows')} subjects that do not exist, under {statement.get('epoch')}"
        return f"{body['purpose']}: canaries set, {rows}; notice {body['notice'][:8]}"
    if body["what"] == "live-answer":
        return f"{body['purpose']}: {body['party']} answered live, to ask {body['ask_index']}"
    if body["what"] == "canary":
        asked = f"{body['rows']:,} canaries" if body["rows"] else "no canary"
        return f"{body['purpose']}: {body['asked_by']} asked for {asked}, in ask {body['ask_index']}"
    return f"{body['purpose']}: suspended by notice {body['notice']}"
