"""What may protect a child: which protections there are, what each keeps back at least, and which are in force."""

from collections.abc import Iterable, Mapping

from broker.core.model.event import Category
from broker.core.model.facts import Protection
from broker.core.model.identifiers import Millis

RESTRICTED = "restricted_record"  # the protection that a source's own restriction of a record is
PLACE = frozenset({Category.LOCATION, Category.CONTACT})
# What each protection keeps back at least, whatever the policy says (DOMAIN 1.4). Every one of them protects a place.
PROTECTS: Mapping[str, frozenset[Category]] = {
    "safe_address": PLACE,
    "restricted_record": PLACE,
    "identity_changed": PLACE | {Category.IDENTITY},
    "protected_person": frozenset(Category),
}
PLACE_PROTECTED = frozenset(PROTECTS)

# Under these nothing of what was told may be kept in part: what says which parts to forget would mark who the child was (R16).
FORGOTTEN = frozenset({"identity_changed", "protected_person"})


def is_protected(protections: Iterable[Protection]) -> bool:
    """Tell whether a protection was set and not lifted."""
    return any(one.until is None for one in protections)


def protections_at(protections: Iterable[Protection], at: Millis) -> frozenset[str]:
    """Return the kinds of protection in force at this instant; one that is lifted in it still is."""
    return frozenset([one.kind for one in protections if one.since <= at and (one.until is None or one.until >= at)])
