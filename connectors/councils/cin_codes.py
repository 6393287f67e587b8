"""The code lists of the children in need census, and the checks that its records are put to, as data."""

import re
from collections.abc import Iterator
from typing import Literal

from broker.core.intake.delivery import Finding
from broker.core.model.event import QualityFinding


def _listed(codes: str) -> frozenset[str]:
    return frozenset(codes.split())


# Code lists of the census: DfE XSD 2017-2026, with 8A of older years.
_ABUSE_CATEGORIES = frozenset(("NEG", "PHY", "SAB", "EMO", "MUL"))
CODES = {
    "ReferralSource": _listed("1A 1B 1C 1D 2A 2B 3A 3B 3C 3D 3E 3F 4 5A 5B 5C 5D 6 7 8 9 10"),
    "PrimaryNeedCode": frozenset(f"N{number}" for number in range(10)),
    "ReasonForClosure": frozenset(f"RC{number}" for number in range(1, 10)),
    "InitialCategoryOfAbuse": _ABUSE_CATEGORIES,
    "LatestCategoryOfAbuse": _ABUSE_CATEGORIES,
    "UPNunknown": frozenset(f"UN{number}" for number in range(1, 8)),
    "Ethnicity": _listed("WBRI WIRI WIRT WOTH WROM MWBC MWBA MWAS MOTH AIND APKN ABAN AOTH BCRB BAFR BOTH CHNE OOTH REFU NOBT"),
    "Disability": _listed("NONE MOB HAND PC INC COMM LD HEAR VIS BEH CON AUT DDA"),
    "AssessmentFactors": _listed(
        "1A 1B 1C 2A 2B 2C 3A 3B 3C 4A 4B 4C 5A 5B 5C 6A 6B 6C 7A 8A 8B 8C 8D 8E 8F 9A 10A 11A 12A 13A 14A 15A 16A 17A"
        " 18A 18B 18C 19A 19B 19C 20 21 22A 23A 24A"
    ),
}
# The kind of abuse that an assessment factor names; every other factor names a circumstance.
ABUSE = {"11A": "SAB", "16A": "NEG", "17A": "EMO"} | dict.fromkeys(("18A", "18B", "18C"), "PHY")
ABUSE |= dict.fromkeys(("19A", "19B", "19C"), "SAB")
NO_FACTOR = "21"
SEX = {"0": "U", "1": "M", "2": "F", "9": "U", "M": "M", "F": "F", "U": "U"}
SEX_CODES = {"GenderCurrent": frozenset("0129"), "Sex": frozenset("MFU")}
SEX_SINCE = 2025  # the element was GenderCurrent in the years before
# What cannot be known of a child when an element of it cannot be read: the beginnings of its facts' keys.
HOLDS = {
    "CINreferralDate": "",  # everything hangs on it
    "ReferralNFA": "case.opened",
    "CINclosureDate": "case.closed",
    "DateOfInitialCPC": "icpc.held",
    "AssessmentActualStartDate": "assessment.",
    "AssessmentAuthorisationDate": "assessment.authorised",
    "CINPlanStartDate": "cin_plan.",
    "CINPlanEndDate": "cin_plan.ended",
    "S47ActualStartDate": "s47.started",
    "CPPstartDate": "cp_plan.",
    "CPPendDate": "cp_plan.ended",
    "CPPreviewDate": "cp_plan.reviewed",
    "LatestCategoryOfAbuse": "cp_plan.category_changed",
    "PersonDeathDate": "child.died",
}
UNREAD = frozenset(("PreProceedingsandFGDM",))  # no event carries it; another name that is not known is not repeated
STARTS = {  # what an element that holds work cannot do without
    "Assessments": "AssessmentActualStartDate",
    "CINPlanDates": "CINPlanStartDate",
    "Section47": "S47ActualStartDate",
    "ChildProtectionPlans": "CPPstartDate",
}
TO_COME = {"PersonBirthDate": "birth-date-in-future", "CINreferralDate": "referral-date-in-future"}  # what no plan can be
YES_NO = {"1": True, "true": True, "0": False, "false": False}
CODE_FORM = re.compile(r"[A-Za-z0-9]{1,4}\Z")

Severity = Literal["info", "warning", "error"]
# Rule: severity, what is wrong, what to do. Messages never repeat a value.
_RULES: dict[str, tuple[Severity, str, str]] = {
    "local-id-missing": ("error", "the child has no LAchildID: the record was not taken", "add the local id and deliver again"),
    "local-id-too-long": ("error", "the LAchildID is too long: the record was not taken", "correct the local id"),
    "birth-date-missing": (
        "error",
        "neither a birth date nor an expected birth date",
        "add the birth date; without it matching is weak",
    ),
    "upn-check": ("warning", "the UPN's check letter or form is wrong", "correct the UPN in the case system"),
    "upn-both": ("warning", "a UPN and a reason for having none", "remove one of the two"),
    "sex-element-year": (
        "info",
        "Sex is of the returns from 2025, GenderCurrent of those before",
        "set the export to the return's year",
    ),
    "sex-code": ("warning", "the code does not belong to this element", "GenderCurrent takes 0, 1, 2, 9; Sex takes M, F, U"),
    "referral-date-missing": ("error", "an episode without a readable referral date", "add the referral date"),
    "start-date-missing": ("error", "no readable start date: the record was not taken", "add the date"),
    "date-unreadable": ("error", "not a date", "write dates as YYYY-MM-DD"),
    "number-unreadable": ("warning", "not a number: left out", "write it in digits"),
    "date-in-future": (
        "warning",
        "the date is in the future: what it says is not told yet",
        "deliver a return after that day if it is planned, else correct the date",
    ),
    "birth-date-in-future": (
        "error",
        "the birth date is in the future: left out",
        "correct it; of a child not yet born give ExpectedPersonBirthDate",
    ),
    "referral-date-in-future": ("error", "the referral is of a day in the future: told without the day", "correct the date"),
    "date-order": ("warning", "the date is before the one it must follow", "correct the dates"),
    "unknown-code": ("warning", "the code is not in the code list of the census", "correct the code"),
    "element-unread": (
        "info",
        "an element that is not read: what it says was left out",
        "tell what others must know another way",
    ),
    "factors-empty": ("warning", "an assessment with an empty list of factors", "add the factors, or 21 for none"),
    "yes-no-form": ("info", "written true or false where the return asks for 1 or 0: read all the same", "nothing to do"),
    "yes-no-unreadable": ("warning", "neither yes nor no", "write 1 or 0"),
    "no-action-but-work": ("warning", "no further action, yet the episode holds work", "correct ReferralNFA"),
    "no-action-not-said": (
        "warning",
        "it does not say whether the referral led to no further action: taken as a case that was opened",
        "add ReferralNFA",
    ),
    "closure-reason-missing": ("warning", "closed without a reason", "add the reason"),
    "child-twice": (
        "warning",
        "the child stands in this return more than once: its records were put together, and where they differ the first counts",
        "export each child once",
    ),
    "child-clash": (
        "error",
        "the local id stands in this return before, with another birth date: the record was not taken",
        "give each child its own id, or correct the birth date",
    ),
}
_ONCE = frozenset(("sex-element-year", "yes-no-form", "element-unread"))  # said once of an element for a file


class Notes:
    """Collects what is wrong, and hands it over child by child."""

    def __init__(self, today: str) -> None:
        self.today = today
        self.child = 0  # the number in the file of the child that is read: a file may be all in one line
        self.quality: list[QualityFinding] = []
        self._findings: list[Finding] = []
        self._said: set[tuple[str, str]] = set()

    def add(self, rule: str, line: int, path: str) -> None:
        """Note that a rule is broken at an element."""
        severity, message, remedy = _RULES[rule]
        if rule in _ONCE:
            if (rule, said_of := path if rule == "element-unread" else "") in self._said:
                return
            self._said.add((rule, said_of))
        else:
            self.quality.append(QualityFinding(rule, path, severity))
        self._findings.append(Finding(severity, rule, f"child {self.child}, line {line}: {path}", message, remedy))

    def drain(self) -> Iterator[Finding]:
        """Yield what was noted since the last time."""
        found, self._findings, self.quality = self._findings, [], []
        yield from found
