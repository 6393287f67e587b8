"""Builders of census returns for tests; every value is made up here."""

from xml.sax.saxutils import escape

HEADER = """<Header>
<CollectionDetails><Collection>CIN</Collection><Year>{year}</Year><ReferenceDate>{year}-03-31</ReferenceDate></CollectionDetails>
<Source><SourceLevel>L</SourceLevel><LEA>{lea}</LEA><SoftwareCode>Caseload</SoftwareCode><DateTime>{at}</DateTime></Source>
</Header>
"""


def fields(**values: str) -> str:
    """Simple elements, in the order given."""
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())


def group(name: str, inside: str = "", **values: str) -> str:
    """An element that holds others."""
    return f"<{name}>{fields(**values)}{inside}</{name}>\n"


def an_episode(inside: str = "", *, referred: str = "2025-06-02", **values: str) -> str:
    """A referral from the police that led to work, unless said otherwise."""
    said = {"CINreferralDate": referred, "ReferralSource": "6", "PrimaryNeedCode": "N1", "ReferralNFA": "0"} | values
    return group("CINdetails", inside, **said)


def a_plan(inside: str = "", *, start: str = "2025-07-01", first: str = "NEG", latest: str = "NEG", **values: str) -> str:
    """A child protection plan."""
    said = {"CPPstartDate": start, "InitialCategoryOfAbuse": first, "LatestCategoryOfAbuse": latest, "NumberOfPreviousCPP": "0"}
    return group("ChildProtectionPlans", inside, **(said | values))


def a_child(local_id: str, *episodes: str, **values: str) -> str:
    """A child with its episodes; `values` replace or add identifiers."""
    said = {"LAchildID": local_id, "UPNunknown": "UN1", "PersonBirthDate": "2016-04-02", "Sex": "F"} | values
    identifiers = group("ChildIdentifiers", **{name: value for name, value in said.items() if value})
    return group("Child", identifiers + group("ChildCharacteristics", Ethnicity="WBRI") + "".join(episodes))


def a_return(*children: str, year: int = 2026, lea: str = "301", at: str = "2026-01-10T09:00:00") -> bytes:
    """A whole return."""
    return (
        f"<Message>\n{HEADER.format(year=year, lea=lea, at=at)}<Children>\n{''.join(children)}</Children>\n</Message>\n".encode()
    )
