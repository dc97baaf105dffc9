"""`sluis audit verify` over the table of bad bundles: exactly the codes that each must be refused with."""

import pytest
from bad_bundles import bad_bundle, bad_names, codes_of

from broker.audit.findings import Code, Fault
from broker.audit.trust import parse_trust
from broker.audit.verify import verify


@pytest.mark.parametrize("name", bad_names())
def test_it_is_refused_with_exactly_its_codes(name: str) -> None:
    bundle = bad_bundle(name)
    report = verify(bundle.lines, parse_trust(bundle.trust), expect=bundle.expect)
    assert set(report.counts) == bundle.codes, report.findings
    assert not report.verified
    assert report.exit_code == min(Code[code].fault for code in bundle.codes)


def test_every_code_has_a_bad_bundle() -> None:
    """A code that no bundle shows is a check that nobody has seen work. Other classes have tests of their own."""
    codes = {code for name in bad_names() for code in codes_of(name)}
    assert {code.name for code in Code if code.fault <= Fault.REPLAY} - codes == {
        "PREVIOUS_DIFFERS"  # needs a second bundle: tests/unit/audit/test_continuity.py
    }
