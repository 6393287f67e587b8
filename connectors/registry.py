"""The connectors by name: one line each. A new native format is one file, one line here and one test."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from broker.core.intake.delivery import Connector


@dataclass(frozen=True, slots=True)
class Registration:
    """Where a connector is, what it reads, how its files are named, whether they may belong together and hold messages.

    A message is said once, whatever comes after; any other file shows what is so now.
    """

    module: str
    attribute: str
    reads: str
    files: tuple[str, ...]
    sets: bool = False
    messages: bool = False

    def make(self) -> Connector:
        """Return a connector, importing its module only now."""
        made: Callable[[], Connector] = getattr(import_module(self.module), self.attribute)
        return made()


CONNECTORS = {
    "cin-census": Registration(
        "connectors.councils.cin_census", "CinCensus", "children in need census, XML 2017-2026", ("*.xml",)
    ),
    "sui-extract": Registration("connectors.councils.sui_extract", "SuiExtract", "a council's identity extract, CSV", ("*.csv",)),
    "school-census": Registration(
        "connectors.schools.school_census",
        "SchoolCensus",
        "school census, COLLECT CSV: the tables of one export, named alike",
        ("*pupilonroll.csv", "*pupilnolongeronroll.csv", "*termlyexclusionsonroll.csv", "*termlyexclusionsoffroll.csv"),
        sets=True,
    ),
    "hl7v2-adt": Registration(
        "connectors.health.hl7v2_adt",
        "Hl7Adt",
        "hospital messages, HL7 version 2 ADT",
        ("*.hl7", "*.txt", "*.adt", "*.mllp", "*.dat"),
        messages=True,
    ),
    "encompass-notice": Registration(
        "connectors.police.encompass_notice", "EncompassNotice", "Operation Encompass notices, UTF-8 text", ("*.txt",)
    ),
}
