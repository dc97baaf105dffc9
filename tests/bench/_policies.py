"""Policy sets of any size, made from the samples, for the benches."""

from __future__ import annotations

from pathlib import Path

from broker.exchange import Want
from broker.policy.evaluate import Request

_SAMPLES = Path(__file__).parents[2] / "policies"


def many_purposes(size: int) -> dict[str, str]:
    """The sample catalogue with `size` copies of snf-locatie under other names."""
    one = (_SAMPLES / "purposes" / "snf-locatie.yaml").read_text(encoding="utf-8")
    copies = {
        f"purposes/snf-locatie-{n:04d}.yaml": one.replace("purpose: snf-locatie", f"purpose: snf-locatie-{n:04d}")
        for n in range(size)
    }
    return {"catalogue.yaml": (_SAMPLES / "catalogue.yaml").read_text(encoding="utf-8"), **copies}


def questions(size: int) -> list[Request]:
    """400 questions over all purposes; every second one asks for something that is not allowed."""
    wrong = (
        {"asker": "nla"},
        {"want": Want(True, False, ("beds", "manager-name"))},
        {"subjects": 1001},
        {"scheme": "kvk"},
    )
    made = []
    for n in range(400):
        good = {
            "asker": "utrecht",
            "principal": None,
            "answerer": "snf",
            "purpose": f"snf-locatie-{n * 7919 % size:04d}",
            "epoch": "2026Q4",
            "scheme": "bag",
            "match_keys": 1,
            "want": Want(True, False, ("certificate-status", "beds", "last-inspection")),
            "subjects": 1000,
        }
        made.append(Request(**(good | wrong[n // 2 % len(wrong)] if n % 2 else good)))
    return made
