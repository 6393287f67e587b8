"""Finds the child whom a person means by a number of its own records; of such a child the desk may have been told nothing.

Numbers are kept as keyed hashes, so a number finds a child and no child gives its number away.
"""

from functools import cache

from broker.core.intake.matching import NATIONAL
from broker.core.model.identifiers import AgencyId
from broker.sealing.secrets import Secrets
from broker.stream.identify.said import issued_by
from broker.stream.identify.state import GRANTED
from broker.stream.watching.review_reader import Children


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
