"""A verdict as JUnit XML: a test case for each check, in a test suite for each kind.

A regression is a failure; what is missing or not comparable is an error; what is inconclusive, and whatever an advisory
check has to say, is skipped with its reason. The exit code says what is right; XML alone may look greener than it is.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from bench.gate.outputs.words import figures, headline, label
from bench.gate.verdict import GateFinding, GateVerdict
from bench.metrics.formats import clean

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS = {"regression": "failure", "missing": "error", "not_comparable": "error", "inconclusive": "skipped"}


def junit(verdict: GateVerdict) -> str:
    """The XML document."""
    root = ET.Element("testsuites", name="adaptbench gate")
    for kind in ("quality", "retention", "cost"):
        own = [finding for finding in verdict.findings if finding.planned.kind == kind]
        if own:
            _suite(root, kind, [_case(finding) for finding in own])
    run = [_problem(problem) for problem in verdict.problems]
    if run or not verdict.findings:
        _suite(root, "run", run or [_problem(headline(verdict))])
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.attrib[name]) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, kind: str, cases: Sequence[ET.Element]) -> None:
    suite = ET.SubElement(root, "testsuite", name=f"adaptbench.{kind}", tests=str(len(cases)), time="0")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    suite.extend(cases)


def _case(finding: GateFinding) -> ET.Element:
    planned = finding.planned
    case = ET.Element("testcase", classname=f"adaptbench.{planned.kind}", name=_text(label(finding)), time="0")
    said = _text(f"{finding.status.replace('_', ' ')}: {finding.reason}")
    before, after, change, interval, limit, p = figures(finding)
    details = f"baseline {before}, candidate {after}, change {change}, interval {interval}, limit {limit}, p {p}"
    if finding.status == "pass":
        return case
    if finding.status == "warn":
        ET.SubElement(case, "system-out").text = f"{said}\n{details}"
        return case
    tag = _TAGS[finding.status] if finding.decides else "skipped"
    if tag == "skipped":
        ET.SubElement(case, tag, message=said if finding.decides else f"{said} ({planned.tier})").text = details
    else:
        ET.SubElement(case, tag, message=said, type=finding.status).text = f"{said}\n{details}"
    return case


def _problem(problem: str) -> ET.Element:
    case = ET.Element("testcase", classname="adaptbench.run", name=_text(problem), time="0")
    ET.SubElement(case, "error", message=_text(problem), type="missing").text = _text(problem)
    return case


def _text(text: str) -> str:
    """What XML 1.0 may hold, on one line."""
    return _NOT_XML.sub("", clean(text))
