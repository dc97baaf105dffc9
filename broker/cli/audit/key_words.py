"""What `key` entries say, in a few words: which key was published, and which one ended, why."""

from __future__ import annotations

from broker.audit.entries import LogEntry

_ENDS = {"retired": "retired", "destroyed": "destroyed here", "encryption-key-destroyed": "encryption key destroyed"}


def key_words(entry: LogEntry) -> str:
    """What happened, in a few words. The form of what was signed is not checked here."""
    body = entry.body
    statement = body.get("statement")
    if not isinstance(statement, dict) or body["action"] == "encryption-key":
        return str(body["action"])
    key = f"key {str(statement.get('key_id'))[:8]}"
    if statement.get("purpose") is not None:
        key = f"{statement['purpose']}: {key} of {statement.get('epoch')}"
    if body["action"] == "end":
        what = str(statement.get("what"))
        return f"{key} {_ENDS.get(what, what)}, {statement.get('reason')}"
    recipients = statement.get("recipients")
    count = len(recipients) if isinstance(recipients, dict) else 0
    return f"{key} sealed to {count:,} {'party' if count == 1 else 'parties'}"
