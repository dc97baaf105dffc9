"""The client's error class and exit codes, on which scripts branch."""

from __future__ import annotations

from sluis_client.errors import ClientError, Exit


def test_exit_codes_are_stable() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "INTERNAL": 1,
        "USAGE": 2,
        "REFUSED_ROWS": 3,
        "BROKER_REFUSED": 4,
        "POLICY_DENIED": 5,
        "VERIFICATION_FAILED": 6,
        "BROKER_UNREACHABLE": 7,
        "KEY_TROUBLE": 8,
    }
    assert all(f"{code.value} {code.name}:" in (Exit.__doc__ or "") for code in Exit)


def test_an_error_says_its_code_and_what_to_do() -> None:
    error = ClientError("KEY_MISSING", "make one with ...", Exit.KEY_TROUBLE)
    assert (error.code, error.message, error.exit_code) == ("KEY_MISSING", "make one with ...", 8)
    assert str(error) == "KEY_MISSING: make one with ..."
    assert ClientError("X", "y").exit_code == Exit.USAGE
