"""Writes a children in need census as XML: the whole caseload each time, as a return within one collection year has it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TextIO

from broker.simulate.area import Child


@dataclass(frozen=True, slots=True)
class Module:
    """One dated part of a child's record, by its event type: a plan, an assessment, an enquiry. `says` are its codes."""

    event: str
    on: date
    says: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A child's open referral with what has happened in it so far."""

    child: Child
    referred: date
    source: str
    modules: tuple[Module, ...] = ()


def write_snapshot(out: TextIO, cases: Iterable[Case], reference: date, lea: str) -> int:
    """Write one return and return how many children it holds."""
    year = reference.year + (reference.month > 3)
    out.write(
        f"""<?xml version="1.0" encoding="utf-8"?>
<Message>
  <Header>
    <CollectionDetails><Collection>CIN</Collection><Year>{year}</Year><ReferenceDate>{year}-03-31</ReferenceDate></CollectionDetails>
    <Source><SourceLevel>L</SourceLevel><LEA>{lea}</LEA><SoftwareCode>Local Authority</SoftwareCode><Release>2026.1</Release>"""
        f"""<SerialNo>001</SerialNo><DateTime>{reference}T18:00:00</DateTime></Source>
  </Header>
  <Children>
"""
    )
    written = 0
    for case in cases:
        out.write(_child(case))
        written += 1
    out.write("  </Children>\n</Message>\n")
    return written


def _child(case: Case) -> str:
    child = case.child
    upn = f"<UPN>{child.upn}</UPN>" if child.school else "<UPNunknown>UN1</UPNunknown>"
    parts = {event: [module for module in case.modules if module.event == event] for event in _WRITERS}
    conference = next((module.on for module in case.modules if module.event == "council.cp_plan.started"), None)
    first = f"<DateOfInitialCPC>{conference}</DateOfInitialCPC>" if conference else ""
    modules = "".join(write(module) for event, write in _WRITERS.items() for module in parts[event])
    return f"""    <Child>
      <ChildIdentifiers><LAchildID>{child.local_id}</LAchildID>{upn}<PersonBirthDate>{child.birth_date}</PersonBirthDate><Sex>{child.sex}</Sex></ChildIdentifiers>
      <ChildCharacteristics><Ethnicity>NOBT</Ethnicity><Disabilities><Disability>NONE</Disability></Disabilities></ChildCharacteristics>
      <CINdetails>
        <CINreferralDate>{case.referred}</CINreferralDate><ReferralSource>{case.source}</ReferralSource><PrimaryNeedCode>N1</PrimaryNeedCode>{first}
{modules}        <ReferralNFA>false</ReferralNFA>
      </CINdetails>
    </Child>
"""


def _assessment(module: Module) -> str:
    factors = dict(module.says).get("factor", "17A")
    return (
        f"        <Assessments><AssessmentActualStartDate>{module.on}</AssessmentActualStartDate>"
        f"<FactorsIdentifiedAtAssessment><AssessmentFactors>{factors}</AssessmentFactors></FactorsIdentifiedAtAssessment></Assessments>\n"
    )


def _help_plan(module: Module) -> str:
    return f"        <CINPlanDates><CINPlanStartDate>{module.on}</CINPlanStartDate></CINPlanDates>\n"


def _enquiry(module: Module) -> str:
    return (
        f"        <Section47><S47ActualStartDate>{module.on}</S47ActualStartDate>"
        "<ICPCnotRequired>false</ICPCnotRequired></Section47>\n"
    )


def _protection_plan(module: Module) -> str:
    category = dict(module.says).get("category", "NEG")
    return (
        f"        <ChildProtectionPlans><CPPstartDate>{module.on}</CPPstartDate>"
        f"<InitialCategoryOfAbuse>{category}</InitialCategoryOfAbuse><LatestCategoryOfAbuse>{category}</LatestCategoryOfAbuse>"
        "<NumberOfPreviousCPP>0</NumberOfPreviousCPP></ChildProtectionPlans>\n"
    )


_WRITERS = {
    "council.assessment.started": _assessment,
    "council.cin_plan.started": _help_plan,
    "council.s47.started": _enquiry,
    "council.cp_plan.started": _protection_plan,
}
