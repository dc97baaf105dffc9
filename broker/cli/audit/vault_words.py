"""What `erasure` and `config` entries say, in a few words: what went from the vault, what is held, how long."""

from __future__ import annotations

from broker.audit.entries import LogEntry

KINDS = frozenset({"erasure", "config"})
_NAMED = ("purpose", "party", "exchange", "asked_from", "asked_until")


def vault_words(entry: LogEntry) -> str:
    """What happened, in a few words."""
    body = entry.body
    if entry.kind == "erasure":
        count = len(body["commitments"])
        went = f"{count:,} opening{'' if count == 1 else 's'} erased"
        why = f"order {body['order']}" if body["what"] == "request" else "its time was over"
        return f"{body['purpose'] or 'no one purpose'}: {went}, {why}"
    statement = body.get("statement", {})
    if body["what"] == "legal-hold-added":
        named = " ".join(f"{name} {statement[name]}" for name in _NAMED if statement.get(name) is not None)
        return f"hold {body['order']} until {statement.get('until')}: {named}"
    if body["what"] == "legal-hold-lifted":
        return f"hold {statement.get('hold')} lifted by order {body['order']}"
    return str(body["what"])
