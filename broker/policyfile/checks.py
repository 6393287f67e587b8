"""Checks a policy beyond its shape, all faults at once, each with file, line, rule, and what to do.

A fault makes a policy unfit to be released. A note is for reading: law that nobody verified at its source.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from broker.policyfile.case_shapes import read_cases
from broker.policyfile.checked import Checked
from broker.policyfile.protection_checks import protections
from broker.policyfile.reading import Fault, read_folder, shape_of
from broker.policyfile.rule_checks import RULE_CHECKS
from broker.policyfile.whole_checks import WHOLE_CHECKS


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: faults make a policy unfit, notes do not. `rules` and `cases` are counts."""

    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()
    rules: int = 0
    cases: int = 0


def check(folder: Path, today: date) -> Report:
    """Check a folder of policy files with its cases, as the law stands on a day."""
    from_files = read_folder(folder)
    cases, unread = read_cases(folder)
    if not from_files.tables:
        return Report(faults=(Fault(folder.name, 1, "", "no policy files here", "name a folder with files ending in `.toml`"),))
    shape = None if from_files.faults else shape_of(from_files)
    if shape is None:
        return Report(faults=tuple(sorted({*from_files.faults, *unread})), cases=len(cases))
    checked = Checked(shape, from_files, cases, today)
    for rule in shape.rule:
        for one in RULE_CHECKS:
            one(checked, rule)
    for whole in (*WHOLE_CHECKS, protections):
        whole(checked)
    return Report(tuple(sorted({*checked.faults, *unread})), tuple(sorted(checked.notes)), len(shape.rule), len(cases))
