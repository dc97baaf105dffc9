"""The results of the officer's tests as JUnit XML, which every pipeline reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from broker.policy.policy_test import CaseResult
from broker.policy.problems import Problem

_UNPRINTABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def junit_xml(results: Iterable[CaseResult], findings: Sequence[Problem] = ()) -> bytes:
    """One suite a test file; `findings` (wrong files, unheld lines, untested purposes) as failures of another."""
    root = ET.Element("testsuites", name="sluis policy test")
    total = failed = 0
    for file, group in groupby(sorted(results, key=_place), key=lambda result: _place(result)[0]):
        cases = list(group)
        wrong = sum(not case.passed for case in cases)
        suite = _suite(root, file, len(cases), wrong)
        for case in cases:
            element = _case(suite, case.name, case.purpose, *_place(case))
            if not case.passed:
                wanted = f"{case.expected} because of {', '.join(case.expected_because) or 'nothing'}"
                found = f"{case.effect} because of {', '.join(case.failing) or 'nothing'}"
                _fail(element, "TEST_FAILED", f"expects {wanted}; found {found}", case.where)
        total, failed = total + len(cases), failed + wrong
    if findings:
        suite = _suite(root, "findings", len(findings), len(findings))
        for finding in findings:
            element = _case(suite, f"{finding.code} {finding.text}", finding.file, finding.file, finding.line)
            _fail(element, finding.code, finding.text, str(finding))
        total, failed = total + len(findings), failed + len(findings)
    root.set("tests", str(total))
    root.set("failures", str(failed))
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _place(result: CaseResult) -> tuple[str, int]:
    file, _, line = result.where.rpartition(":")
    return file, int(line)


def _suite(root: ET.Element, name: str, tests: int, failures: int) -> ET.Element:
    counts = {"tests": str(tests), "failures": str(failures), "errors": "0", "skipped": "0"}
    return ET.SubElement(root, "testsuite", {"name": _clean(name), **counts})


def _case(suite: ET.Element, name: str, group: str, file: str, line: int) -> ET.Element:
    place = {"file": _clean(file), "line": str(line), "time": "0"}
    return ET.SubElement(suite, "testcase", {"name": _clean(name), "classname": _clean(group), **place})


def _fail(case: ET.Element, kind: str, text: str, detail: str) -> None:
    ET.SubElement(case, "failure", {"type": kind, "message": _clean(text)}).text = _clean(detail)


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)
