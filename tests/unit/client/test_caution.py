"""What is refused before anything is sent or written."""

from pathlib import Path

import pytest
from sluis_client.ask import Plan
from sluis_client.caution import holds_person_number, keep_apart
from sluis_client.errors import ClientError, Exit
from sluis_client.transport import Want


@pytest.mark.parametrize(
    "text",
    [
        "999993653",
        "Jansen 999993653",
        "999.993.653",
        "9999 93653",
        "999  993  653",
        "999\u00a0993\u00a0653",
        "NLA-999993653",
        "NLA-2026-999993653",
        "zaak 00009921",
    ],
)
def test_a_number_that_could_be_a_persons_is_found(text: str) -> None:
    assert holds_person_number(text)


@pytest.mark.parametrize("text", ["", "NLA-2026-8812", "UTR-2026-1", "123456789", "2026", "0000", "9999936530001"])
def test_references_without_one_pass(text: str) -> None:
    assert not holds_person_number(text)


@pytest.mark.parametrize("digits", [1, 2, 3, 4, 5, 6])
def test_no_reference_of_year_and_serial_number_is_refused(digits: int) -> None:
    for serial in range(min(10**digits, 3000)):
        assert not holds_person_number(f"UTR-2026-{serial * 7 % 10**digits:0{digits}d}")


@pytest.mark.parametrize("option", ["case_number", "cooperation_ref"])
def test_a_plan_with_one_is_refused_and_does_not_show_it(option: str) -> None:
    with pytest.raises(ClientError) as caught:
        Plan("p", "bag", ("snf",), Want(hit=True, count=False), **{option: "zaak 999993653"})
    assert caught.value.code == "REFERENCE_REFUSED"
    assert caught.value.exit_code is Exit.USAGE
    assert "999993653" not in str(caught.value)


def test_an_output_never_overwrites_what_is_read(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("x")
    link = tmp_path / "link.csv"
    link.symlink_to(source)
    keep_apart([tmp_path / "out.csv"], source)
    for bad, code in ((source, "OUT_IS_INPUT"), (link, "OUT_IS_INPUT"), (tmp_path, "OUT_UNUSABLE")):
        with pytest.raises(ClientError) as caught:
            keep_apart([bad], source)
        assert caught.value.code == code
    with pytest.raises(ClientError, match="is a directory; name a file in it"):
        keep_apart([tmp_path], source)
    with pytest.raises(ClientError, match=r"there is no directory .*none; make it first"):
        keep_apart([tmp_path / "none" / "out.csv"], source)
