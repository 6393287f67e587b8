"""Finds the child whom a person means by a number of its own records; of such a child the desk may have been told nothing.

Numbers are kept as keyed hashes, so a number finds a child and no child gives its number away.
"""

from collections.abc import Iterable
from functools import cache

from broker.core.intake.matching import NATIONAL
from broker.core.model.identifiers import AgencyId
from broker.errors import NotFoundError
from broker.sealing.secrets import Secrets
from broker.settings import Settings
from broker.stream.identify.said import issued_by
from broker.stream.identify.state import GRANTED
from broker.stream.watching.review_reader import Children, children_known, one_with


def refs_with(number: str, agency: AgencyId, known: Children, secrets: Secrets) -> frozenset[str]:
    """Return the children who hold a number for sure: a national one, or one that this agency gave out itself."""

    @cache
    def hashed(kind: str) -> str | None:
        scheme, _, issuer = kind.partition("/")
        may = issued_by(agency, kind) if issuer else kind in NATIONAL
        return secrets.identifier_hash(scheme, number, issuer or None) if may else None

    return frozenset(
        ref
        for ref, here in known.items()
        for child in here.values()
        for identifier, link in child.links.items()
        if link.state == GRANTED and hashed(link.kind) == identifier
    )


async def refs_of(settings: Settings, number: str) -> tuple[str, ...]:
    """Return every reference of the one child that holds a number: that of today, and those of records that were joined to it.

    Raises NotFoundError, which never repeats the number.
    """
    known = await children_known(settings.kafka)
    return one_child(refs_with(number, AgencyId(settings.area), known, Secrets.load(settings.keys)), known)


def one_child(found: Iterable[str], known: Children) -> tuple[str, ...]:
    """Return every reference of the one child that all of these mean; raises NotFoundError where that is none, or several."""
    children = {one_with(known, ref) for ref in found}
    if len(children) == 1:
        return children.pop()
    if children:
        raise NotFoundError("more than one child is known by that number: ask by one of its events, with --event")
    raise NotFoundError(
        "no child is known by that number: give the NHS number, the UPN or the number of this area's council; "
        "a number that no register said of the child is not known here"
    )
