"""Children in need census: file to canonical events, against the smallest honest loop over the same file.

Ours: hardened parsing (the file is read twice, so that a broken one is refused whole), findings, comparison with the return
before, code lists, headers of the canonical form. The rival: `lxml.etree.iterparse`, the dates parsed, a UUIDv5 and one data
class for each event, nothing remembered and nothing checked.
"""

import json
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lxml import etree

from broker.core.intake.delivery import Delivery, Piece
from broker.core.model.event import Event, Sector
from broker.core.model.identifiers import AgencyId, Digest, Millis
from broker.core.model.registers import Agency
from connectors.councils.cin_census import CinCensus
from connectors.transports.memory import SqliteMemory
from tests.connectors.councils.cin_files import HEADER, a_child, a_plan, an_episode, fields, group

CHILDREN = 15_000
RUNS = 5
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "children in need census")
_SINGLE = {
    "CINreferralDate": "referral",
    "CINclosureDate": "closed",
    "AssessmentActualStartDate": "assessment",
    "AssessmentAuthorisationDate": "authorised",
    "S47ActualStartDate": "enquiry",
    "DateOfInitialCPC": "conference",
    "CINPlanStartDate": "plan",
    "CINPlanEndDate": "plan end",
    "CPPstartDate": "protection plan",
    "CPPendDate": "protection plan end",
}


@dataclass
class Happening:
    """All that the rival makes of an element."""

    id: str
    kind: str
    child: str
    born: date
    on: date
    said: dict[str, str | None]


def write_return(path: Path, children: int) -> None:
    """Write a return of made-up children: every kind of element, about nine events a child."""
    chance = random.Random(20260101)
    with path.open("w", encoding="utf-8") as out:
        out.write(f"<Message>{HEADER.format(year=2026, lea='301', at='2026-01-10T09:00:00')}<Children>\n")
        out.writelines(_child(number, chance) for number in range(children))
        out.write("</Children></Message>\n")


def _child(number: int, chance: random.Random) -> str:
    def day(year: int) -> str:
        return f"{year}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"

    factors = chance.sample(["3A", "16A", "4B", "2B", "18B"], 2)
    listed = group("FactorsIdentifiedAtAssessment", "".join(fields(AssessmentFactors=factor) for factor in factors))
    assessment = group("Assessments", listed, AssessmentActualStartDate=day(2024), AssessmentAuthorisationDate=day(2025))
    enquiry = group("Section47", S47ActualStartDate=day(2024), DateOfInitialCPC=day(2025), ICPCnotRequired="0")
    plan = a_plan(group("Reviews", fields(CPPreviewDate=day(2025))), start=day(2024), CPPendDate=day(2025))
    cin_plan = group("CINPlanDates", CINPlanStartDate=day(2024))
    return a_child(
        f"B{number:07}",
        an_episode(assessment + enquiry, referred=day(2023)),
        an_episode(
            (plan if chance.random() < 0.5 else cin_plan), referred=day(2022), CINclosureDate=day(2025), ReasonForClosure="RC7"
        ),
        PersonBirthDate=day(chance.randint(2009, 2022)),
    )


def ours(path: Path, folder: Path) -> int:
    """Read the return with the connector and a memory on disk; return the number of events."""
    piece = Piece("cin.xml", path.stat().st_size, Digest("0" * 64), lambda: path.open("rb"))
    agency = Agency(id=AgencyId("E10000099"), name="A council", sector=Sector.COUNCILS, area="E10000099")
    memory = SqliteMemory(folder / f"{uuid.uuid4()}.sqlite")
    memory.begin()
    read = CinCensus().read(Delivery(agency, Millis(1_790_000_000_000), (piece,)), memory)
    events = sum(1 for one in read if isinstance(one, Event))
    memory.commit()
    memory.close()
    return events


def rival(path: Path, folder: Path) -> int:
    """Read it with the smallest honest loop; return the number of events."""
    return sum(1 for _ in _happenings(path))


def _happenings(path: Path) -> Iterator[Happening]:
    for _, element in etree.iterparse(str(path), events=("end",), tag="Child"):
        child = element.findtext("ChildIdentifiers/LAchildID")
        born = date.fromisoformat(element.findtext("ChildIdentifiers/PersonBirthDate"))
        for episode in element.iterfind("CINdetails"):
            referred = episode.findtext("CINreferralDate")
            for kind, day, said in _dated(episode):
                name = f"301/{child}/{referred}/{kind}/{day}"
                yield Happening(str(uuid.uuid5(_SPACE, name)), kind, child, born, date.fromisoformat(day), said)
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _dated(episode: Any) -> Iterator[tuple[str, str, dict[str, str | None]]]:
    """Everything with a date in an episode: its kind, its date, and what stands beside it."""
    for part in (episode, *episode):
        said = {one.tag: one.text for one in part}
        for name, kind in _SINGLE.items():
            if said.get(name):
                yield kind, said[name], said
    if episode.findtext("ReferralNFA") == "0":
        yield "opened", episode.findtext("CINreferralDate"), {}
    for review in episode.iterfind("ChildProtectionPlans/Reviews/CPPreviewDate"):
        yield "review", review.text, {}


def measure() -> dict[str, object]:
    """Return the figures: events per second of CPU time, the median of five runs each, turn and turn about."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "cin.xml"
        write_return(path, CHILDREN)
        runs: dict[str, list[float]] = {"ours": [], "rival": []}
        events = {"ours": 0, "rival": 0}
        for _ in range(RUNS):
            for who, loop in (("ours", ours), ("rival", rival)):
                events[who], seconds = _timed(loop, path, folder)
                runs[who].append(events[who] / seconds)
        size = path.stat().st_size / 1e6
    if events["ours"] != events["rival"]:
        raise AssertionError(f"the two do not read the same: {events}")
    mine, theirs = statistics.median(runs["ours"]), statistics.median(runs["rival"])
    return {
        "name": "cin_census",
        "ours": round(mine),
        "rival": round(theirs),
        "unit": "events per CPU second",
        "ratio": round(mine / theirs, 3),
        "detail": f"{size:.0f} MB, {CHILDREN} children, {events['ours']} events; rival: lxml iterparse, dates, UUIDv5, dataclass",
    }


def _timed(loop: Callable[[Path, Path], int], path: Path, folder: Path) -> tuple[int, float]:
    start = time.process_time()
    events = loop(path, folder)
    return events, time.process_time() - start


if __name__ == "__main__":
    print(json.dumps(measure()))
