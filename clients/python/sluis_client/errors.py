"""The client's one error class: a stable code, a text that says what to do, and the exit code of the command line.

No text here or made from here may hold an identifier, a pseudonym, a key, or any value that depends on a data subject.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `sluis-client`. Stable: scripts branch on them.

    0 OK: everything asked for was done.
    1 INTERNAL: a fault of the program itself; report it.
    2 USAGE: options or input that cannot be read or understood; change the command or the file.
    3 REFUSED_ROWS: `--strict` was given and rows could not be normalised; repair the rows listed.
    4 BROKER_REFUSED: the broker answered with an error; its code says what to change.
    5 POLICY_DENIED: the policy does not allow the question, or the purpose was closed before the answer left.
    6 VERIFICATION_FAILED: a signature, receipt, proof, commitment or sealed field is wrong; do not use the answer.
    7 BROKER_UNREACHABLE: no answer from the broker; the same request id may be tried again.
    8 KEY_TROUBLE: a key or certificate is missing, unreadable, unsafe on disk, or not the one needed.
    """

    OK = 0
    INTERNAL = 1
    USAGE = 2
    REFUSED_ROWS = 3
    BROKER_REFUSED = 4
    POLICY_DENIED = 5
    VERIFICATION_FAILED = 6
    BROKER_UNREACHABLE = 7
    KEY_TROUBLE = 8


class ClientError(Exception):
    """Every error the client raises on purpose.

    `code` is stable UPPER_SNAKE for machines, `message` says what to do, `exit_code` is the class of trouble.
    """

    def __init__(self, code: str, message: str, exit_code: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
