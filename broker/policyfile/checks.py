"""Checks a policy beyond its shape, all faults at once, each with file, line, rule, and what to do.

A fault makes a policy unfit to be released. A note is for reading: law that nobody verified at its source.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from broker.policyfile.case_shapes import mentioned_in, read_cases
from broker.policyfile.checked import Checked
from broker.policyfile.mending import readable
from broker.policyfile.protection_checks import protections
from broker.policyfile.reading import Fault, read_folder
from broker.policyfile.rule_checks import CHECKS_IN_DOUBT, RULE_CHECKS
from broker.policyfile.whole_checks import WHOLE_CHECKS


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: faults make a policy unfit, notes do not. `rules` and `cases` are counts.

    `whole`: everything could be read, so that there is nothing that only shows once something else is mended.
    """

    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()
    rules: int = 0
    cases: int = 0
    whole: bool = True


def check(folder: Path, today: date) -> Report:
    """Check a folder of policy files with its cases, as the law stands on a day.

    What cannot be read hides nothing that can be told without it; what may only come of it is not told.
    """
    from_files = read_folder(folder)
    cases, unread = read_cases(folder)
    if not from_files.tables and not from_files.faults:
        return Report(faults=(Fault(folder.name, 1, "", "no policy files here", "name a folder with files ending in `.toml`"),))
    read = readable(from_files)
    if read is None:
        return Report(faults=tuple(sorted({*from_files.faults, *unread})), cases=len(cases), whole=False)
    mentioned = mentioned_in(folder, {one.file for one in unread})
    checked = Checked(read.shape, from_files, cases, today, read.doubted, mentioned)
    for rule in read.shape.rule:
        for one in RULE_CHECKS if checked.is_sure(rule) else CHECKS_IN_DOUBT:
            one(checked, rule)
    for of_all in (*WHOLE_CHECKS, protections):
        of_all(checked)
    faults = tuple(sorted({*from_files.faults, *checked.faults, *unread}))
    whole = not (read.doubted or unread)
    return Report(faults, tuple(sorted(checked.notes)), len(read.shape.rule), len(cases), whole)
