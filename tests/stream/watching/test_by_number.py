"""A number finds a child for whoever may know it by that number, and for nobody else."""

import pytest

from broker.core.model.identifiers import AgencyId
from broker.errors import NotFoundError
from broker.sealing.secrets import Secrets
from broker.stream.identify.state import ASKED, GRANTED, REFUSED, Child, Link
from broker.stream.watching.by_number import one_child, refs_with

SECRETS = Secrets.from_master(bytes(range(32)))
COUNCIL, NHS, UPN, LOCAL = "E10000001", "9990000018", "A820200215001", "ab 12"


def held(scheme: str, value: str, issuer: str = "", state: str = GRANTED) -> dict[str, Link]:
    kind = f"{scheme}/{issuer}" if issuer else scheme
    return {SECRETS.identifier_hash(scheme, value, issuer or None): Link(kind, state)}


@pytest.mark.parametrize(
    ("links", "number", "is_found"),
    [
        (held("nhs_number", NHS), "999 000 0018", True),
        (held("upn", UPN), UPN.lower(), True),
        (held("la_child_id", LOCAL, COUNCIL), "AB12", True),
        (held("la_child_id", LOCAL, f"{COUNCIL}/mosaic"), "ab12", True),
        (held("la_child_id", LOCAL, "E10000002"), LOCAL, False),  # another council's number
        (held("mrn", NHS, "ods:RZ901"), NHS, False),
        (held("nhs_number", NHS, state=REFUSED), NHS, False),  # another child's
        (held("nhs_number", NHS, state=ASKED), NHS, False),
        (held("nhs_number", NHS), "9990000026", False),
    ],
)
def test_a_number_finds_whom_the_desk_may_know_by_it(links: dict[str, Link], number: str, *, is_found: bool) -> None:
    known = {"c-one": {"m-1": Child(links=links)}, "c-two": {"m-1": Child(links=held("nhs_number", "9990000034"))}}

    assert refs_with(number, AgencyId(COUNCIL), known, SECRETS) == ({"c-one"} if is_found else set())


def test_who_was_told_of_a_child_is_asked_of_all_records_that_were_joined_to_one() -> None:
    known = {"c-lost": {"m-1": Child(merged_into="c-won")}, "c-won": {"m-1": Child()}, "c-other": {"m-1": Child()}}

    assert one_child({"c-lost", "c-won"}, known) == ("c-lost", "c-won")
    with pytest.raises(NotFoundError, match="more than one child"):
        one_child({"c-lost", "c-other"}, known)
    with pytest.raises(NotFoundError, match="no child is known by that number"):
        one_child(set(), known)
