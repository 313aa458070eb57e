"""Verdicts as JUnit XML, the form in which CI systems show the results of tests.

Takes Verdicts; gives the text of the file. The form is the one that pytest and Surefire write: one testsuite, a
testcase for each case, a failure inside where there is one.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from sevengate.cli.verdicts import Verdict

#: What XML 1.0 cannot hold (section 2.2).
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(verdicts: Sequence[Verdict], file: str) -> str:
    """Write verdicts on the cases of `file` as JUnit XML."""
    failed = sum(bool(verdict.failures) for verdict in verdicts)
    attributes = {"name": _writable(file), "tests": str(len(verdicts)), "failures": str(failed), "errors": "0"}
    suite = ET.Element("testsuite", attributes)
    for verdict in verdicts:
        _add(suite, verdict, file)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _add(suite: ET.Element, verdict: Verdict, file: str) -> None:
    case = verdict.case
    attributes = {"classname": _writable(file), "name": _writable(case.name), "file": _writable(file)}
    element = ET.SubElement(suite, "testcase", {**attributes, "line": str(case.line)})
    if verdict.failures:
        failure = ET.SubElement(element, "failure", {"message": _writable(verdict.failures[0])})
        failure.text = _writable("\n".join(verdict.failures))


def _writable(text: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
