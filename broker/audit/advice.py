"""What each finding means for somebody who is no programmer, and what to do next. Words only; nothing is decided here.

A class of fault has advice for all its codes; a code that says more than its class has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broker.audit.findings import Code, Fault


@dataclass(frozen=True)
class Advice:
    """`means`: what may have happened. `next`: what an auditor does about it."""

    means: str
    next: str


_NEW_EXPORT = (
    "compare the file's SHA-256 with its source, copy it again, and ask for a new export if it stays; keep both"
)
_ASK_OPERATOR = "keep the bundle unchanged, and ask the operator in writing how this came about"
_ASK_PARTIES = "ask asker and answerer for their receipts of this exchange, and compare"

_CLASSES: Mapping[Fault, Advice] = {
    Fault.FORMAT: Advice(
        "the file is damaged, or is not an export of this version; it proves nothing, for or against anyone",
        _NEW_EXPORT,
    ),
    Fault.TREE: Advice(
        "the log is not the one that its key signed: entries were altered, moved, left out or added, or the file was",
        f"{_NEW_EXPORT}; if the new one shows the same, the operator's log is broken or was tampered with",
    ),
    Fault.VAULT: Advice(
        "what opens the log's commitments was destroyed, came back, or was exchanged, against what the log says",
        "ask the operator for the order or backup behind it, and the party whose question it was for its own copy",
    ),
    Fault.ORIGIN: Advice(
        "this log, or its key, is not the one that your trust file names",
        "check that you took the right bundle and the right trust file, and compare its fingerprint once more",
    ),
    Fault.EXPECTED: Advice(
        "a party holds proof of something that this log does not show: it was cut, or two logs were kept",
        "keep what you expected and the bundle: together they are evidence; show both to the operator and the parties",
    ),
    Fault.POLICY: Advice(
        "decisions were taken, or could have been, under rules that those who must sign them did not sign like this",
        "ask the policy signers which set they signed, with its revision and digest, and from when it was to hold",
    ),
    Fault.SIGNATURE: Advice(
        "the log has something in a party's name that this party did not rightfully sign at that moment",
        "ask that party whether it sent this; compare certificates and revocation lists with those of its CA",
    ),
    Fault.EXCHANGE: Advice(
        "questions, answers and counters contradict each other: something was left out, added, or answered wrongly",
        f"{_ASK_PARTIES}; {_ASK_OPERATOR}",
    ),
    Fault.REPLAY: Advice(
        "the rules in force do not give the decision that was logged, or it cannot be taken again here",
        "read the decision with `sluis audit show`, and the rules with `sluis policy in-force`; ask the operator why",
    ),
    Fault.WITNESS: Advice(
        "not enough of the witnesses you trust vouch for what this log shows, or they vouch for something else",
        "ask the witnesses which checkpoint of this log they hold, and compare; until then the log is its key's word",
    ),
    Fault.STAMP: Advice(
        "a time stamp is wrong, or is of something else: it dates nothing",
        "rely on the stamps that are good, on witnesses and on receipts for when things were logged",
    ),
}

_CODES: Mapping[Code, Advice] = {
    Code.STAMP_GAP: Advice(
        "stamps were taken out of the bundle, or the time stamper was away for longer than is allowed: for that time "
        "only the log's own clock and the witnesses date it",
        "ask the operator for a new export, and the time stamper whether it stamped then; compare other dated receipts",
    ),
    Code.LOG_KEY_PERIOD: Advice(
        "a log key was used when you no longer, or not yet, trusted it: a key that was retired may be in use",
        "compare the periods in the trust file with the parties; if they are right, rely on nothing under that key",
    ),
    Code.TAIL_UNSIGNED: Advice(
        "what stands last was never signed: an export broken off, or entries that somebody added",
        "do not rely on entries after the last good checkpoint; ask for a new export",
    ),
    Code.EXPECTED_FORM: Advice(
        "the file you gave with --expect is not a checkpoint or receipt of this log; nothing was compared with it",
        "ask its holder for it again, as the file that the client wrote",
    ),
    Code.PREVIOUS_DIFFERS: Advice(
        "the bundle you gave with --previous is of another log, or of another end of it, than this log says it follows",
        "check that it is the bundle of the log right before, sealed; if it is, keep both: together they are evidence",
    ),
    Code.EXPECTED_MISSING: Advice(
        "somebody holds proof of later entries; the export is older than that, or its end was cut off",
        "ask for a newer export; if the entries are missing there too, they were removed",
    ),
    Code.POLICY_APPROVALS: Advice(
        "a purpose was in use that its asking or its answering side had not approved",
        "ask both sides' officers for their approval of this text; until then treat its exchanges as not agreed",
    ),
    Code.ENGINE_UNTRUSTED: Advice(
        "a version of the program decided that your trust file does not list; it may just be newer",
        "find out when the operator upgraded, and add the engine to your trust file if you accept it",
    ),
    Code.NOT_REPLAYABLE: Advice(
        "this program or this bundle lacks what is needed to take the decision again: this is not a pass",
        "use the version of `sluis` that has that engine, and a bundle with all policy sets",
    ),
    Code.CERTIFICATE_REVOKED: Advice(
        "a question or statement was accepted although its certificate had been revoked: its key may be stolen",
        "ask the party when and why it was revoked, and whether it sent this; ask the operator why it was let in",
    ),
    Code.REVOCATION_UNDONE: Advice(
        "a certificate that was revoked counts again, or older news of revocations replaced newer",
        "get the CA's revocation lists of those days from the CA itself, and compare",
    ),
    Code.REVOCATION_STALE: Advice(
        "the log does not show that the caller's certificate was looked up in a fresh revocation list",
        "get the CA's list of that day from the CA, and look the certificate up yourself",
    ),
    Code.KEY_SECOND: Advice(
        "two keys for one period: pseudonyms under the second can be joined by whoever made it",
        "ask the steward which it made, and the participants which they use; suspend the purpose until that is clear",
    ),
    Code.KEY_ENCRYPTION: Advice(
        "the key of a purpose may have gone to somebody else than the recipient it names",
        "ask the steward whom it sealed the key for; treat the epoch's pseudonyms as known to others until it is clear",
    ),
    Code.KEY_RECIPIENTS: Advice(
        "a party that takes no part in the purpose may hold its key, and so compute everybody's pseudonym in it",
        "ask the steward why, and the signers whether that party was to take part; make a new key",
    ),
    Code.REQUEST_ID_REUSED: Advice(
        "two questions stand under one number, so a receipt for the one could be shown for the other",
        _ASK_PARTIES,
    ),
    Code.ANSWERER_MISSING: Advice(
        "a question was put to parties of which the log does not show all, or shows others",
        f"ask the asker whom it asked; {_ASK_PARTIES}",
    ),
    Code.RELEASE_DENIED: Advice(
        "data may have left although the rules denied the question",
        f"{_ASK_PARTIES}; treat it as a possible data breach (AVG articles 33 and 34)",
    ),
    Code.RELEASE_ATTRIBUTES: Advice(
        "more was told than was asked and granted",
        f"{_ASK_PARTIES}; treat it as a possible data breach (AVG articles 33 and 34)",
    ),
    Code.RELEASE_CLOSED: Advice(
        "an answer left after the purpose had been stopped",
        f"{_ASK_PARTIES}; tell the officer who stopped it",
    ),
    Code.RELEASE_EXPIRED: Advice(
        "an answer was given from data that were out of date by the answerer's own word",
        "tell the asker not to rely on it, and ask the answerer for the date of its data",
    ),
    Code.RELEASE_WITHDRAWN: Advice(
        "an answer was given from data that the answerer had taken back",
        "tell asker and answerer; the answer is not to be used",
    ),
    Code.RELEASE_STATUS: Advice(
        "the asker was told that there was nothing to answer from, and the log shows that there was: not a `no hit`",
        "the asker puts the question again; the operator explains",
    ),
    Code.RELEASE_MISSING: Advice(
        "a question was permitted, and the log does not say what became of it: an answer may have left unlogged",
        f"ask the asker whether it got an answer; {_ASK_OPERATOR}",
    ),
    Code.RELEASE_LATE: Advice(
        "an answer was released when its question was no longer open: the broker did not keep its own time",
        _ASK_OPERATOR,
    ),
    Code.EVALUATION_RIGHT: Advice(
        "a party, or a purpose that was closed, had numbers turned into pseudonyms that nobody had allowed",
        f"ask the party what it did with them; {_ASK_OPERATOR}",
    ),
    Code.EVALUATION_KEY: Advice(
        "a key was used that the policy's signers had not agreed on, or outside its time: pseudonyms may be linked",
        "compare the key with the policy set of that day, and ask the key service's operator how it came into use",
    ),
    Code.EVALUATION_QUOTA: Advice(
        "more numbers may have been tried than the purpose allows: the quota is what stands against guessing",
        "add up the party's evaluations at every key service of the purpose, and ask the party what they were for",
    ),
    Code.SERVICE_KEY: Advice(
        "what was said to be destroyed was not, or is gone before persons could see what was asked about them",
        _ASK_OPERATOR,
    ),
    Code.COUNTER_REQUESTS: Advice(
        "requests of that day are missing in the log, or were added: budgets do not hold",
        "ask the asker for its receipts of that day, and count them",
    ),
    Code.COUNT_DISTANCE: Advice(
        "counts that differ by a few persons tell about those persons; whether that was prevented is not shown",
        "have the asker open the two questions to you, and compare them",
    ),
    Code.CANARIES: Advice(
        "an entry says that a party set subjects whom nobody should ask for, and it cannot have done so in that way",
        "ask that party for the receipt of its canaries",
    ),
    Code.CANARY: Advice(
        "a party is said to have asked for a subject that does not exist, and the log does not bear it out",
        "hold it against nobody; have the answerer open its list and the asker its question to you",
    ),
    Code.LIVE_ANSWER: Advice(
        "an answer is said to come from an answerer's own premises, and the log does not bear it out",
        "ask that party for the receipt of its answer and for what opens it",
    ),
    Code.STANDING: Advice(
        "a party may have put a question again for which nothing was newer, or another one in its place",
        "have the asker open both questions to you, and compare them",
    ),
    Code.COUNTER_PROBING: Advice(
        "whether a party asked the same again, in parts, or about ever more people was not watched as agreed",
        "have the asker open its questions to you, and look for them with `sluis audit unusual --openings`",
    ),
    Code.REPLAY_DIFFERS: Advice(
        "the rules in force give another decision, or other reasons or duties, than the log has",
        "read both with `sluis audit replay`; if it says permit where the rules say deny, treat it as a data breach",
    ),
    Code.ACCESS_PARTY: Advice(
        "somebody read entries about others who is not named as auditor",
        "ask the operator how, and the catalogue's signers whether that party should be named",
    ),
}

_ELSE = Advice("see the finding's own words", _ASK_OPERATOR)


def advice_on(code: Code) -> Advice:
    """What a finding means, and what to do about it."""
    return _CODES.get(code) or _CLASSES.get(code.fault, _ELSE)
