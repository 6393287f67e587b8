"""Whether two records may become one child's without a person, and which hubs are asked when they may not.

A merge hands over everything that is known, also who answers for the child: whoever could bring one about alone would take
any child over (I10, R16).
INVARIANT: a merge about a child that is known in another area than its publisher's is never for the publisher's hub to allow, but
where another agency protects the child from there.
"""

from collections.abc import Iterable, Sequence

from broker.core.intake.matching import Description, contradict
from broker.stream.identify.said import Said, issued_by
from broker.stream.identify.state import Child, Guard, Waiting


def may_join(one: Waiting, said: Said, child: Child, other: Child) -> bool:
    """Tell whether `other` may become part of `child` on the word of a merge alone.

    Never where one is protected, or they are unlike; and only where the publisher ends a record of its own, among children of
    its own area.
    """
    if child.guards or other.guards or child.holds or other.holds or other.forming:
        return False
    if hubs_elsewhere(one, (child, other)) or not (said.ends_own and _has_record(one, other)):
        return False
    if child.names and other.names and child.names.isdisjoint(other.names):
        return False
    left, right = (_but(known.described(), said.losing) for known in (child, other))
    return not contradict(left, right)


def ends_unknown(said: Said, child: Child) -> bool:
    """Tell whether a merge ends an NHS number that is nobody's here: whose record that is a person finds out, else it is lost."""
    return not said.losing.identifiers.get("nhs_number", frozenset()) <= child.links.keys()


def hubs_elsewhere(one: Waiting, children: Iterable[Child]) -> tuple[str, ...]:
    """Return the hubs of where some children are known, in turn, without those of the event's publisher."""
    return tuple(dict.fromkeys(hub for child in children for hub in _hubs_of(child, one.producer) if hub not in one.hubs))


def hubs_asked(one: Waiting, said: Said, children: Sequence[Child]) -> tuple[str, ...]:
    """Return who is asked whether an event is about one of some children, in turn.

    Of a merge no hub of its publisher's where another is there; of everything else those of a child of which the publisher's hubs
    know nothing, since whoever makes up a person and says that it is the child would be asked about that itself. Where they know
    one of several by another's word, they are asked.
    """
    if said.merges:
        return hubs_elsewhere(one, children) or one.hubs
    strange = [child for child in children if _knows_nothing(one, child)]
    if _at_home(one, children, strange):
        return one.hubs
    return hubs_elsewhere(one, strange) or one.hubs


def _at_home(one: Waiting, children: Sequence[Child], strange: Sequence[Child]) -> bool:
    """Tell whether an event may be about a child of where it is said, whoever else it may be about.

    Anybody can make up a twin of another area's child, and would be asked about all that only a name links. It is asked where
    the twin is known all the same, where that one is protected by whom others there vouch for: it may have fled from here.
    """
    known = (child for child in children if child not in strange)
    if not any(_others_know(hub, child, one.producer) for child in known for hub in one.hubs):
        return False
    return not any(_others_know(hub, child, guard.by) for child in strange for guard in child.guards for hub in guard.hubs)


def _knows_nothing(one: Waiting, child: Child) -> bool:
    """Tell whether the hub of where an event is said may not be asked about a child.

    Of one that is protected by somebody who alone knows it there, so that it fled to nobody whom others see, the hub may be that
    knew it before: else anybody could have what is doubtful of another area's child put to its own hub, by one word.
    """
    hubs = _hubs_of(child, one.producer)
    if not hubs or not set(hubs).isdisjoint(one.hubs):
        return False
    return set(child.hubs).isdisjoint(one.hubs) or any(is_vouched(child, guard) for guard in _protecting(child, one.producer))


def _hubs_of(child: Child, publisher: str) -> tuple[str, ...]:
    """Return who is asked about a child: of one that is protected whoever protects it, besides an event's own publisher.

    It may have fled from where it was known before.
    """
    protecting = {hub for guard in _protecting(child, publisher) for hub in guard.hubs}
    return tuple(hub for hub in child.hubs if hub in protecting) or child.hubs


def _protecting(child: Child, publisher: str) -> list[Guard]:
    return [guard for guard in child.guards if guard.by != publisher and not guard.doubted]


def is_vouched(child: Child, guard: Guard) -> bool:
    """Tell whether a child that an agency protects is known where that agency is by others than it, or was first."""
    return any(_is_known_at(hub, child, guard.by) for hub in guard.hubs)


def _is_known_at(hub: str, child: Child, agency: str) -> bool:
    """Tell whether a child is known at a hub but for an agency's own word; where it came about, that word counts.

    What was kept before it was known through whom counts as known by others.
    """
    first = child.known_by[0] if child.known_by and child.known_by[0][0] == child.hubs[0] else None
    return _others_know(hub, child, agency) or (first == (child.hubs[0], agency) and (hub, agency) in child.known_by)


def _others_know(hub: str, child: Child, agency: str) -> bool:
    known = [by for there, by in child.known_by if there == hub]
    return hub in child.hubs and (not known or any(by != agency for by in known))


def may_hold(one: Waiting, said: Said, child: Child) -> bool:
    """Tell whether a child's later events wait while this one does: by what a stranger says nobody is silenced.

    A merge holds a child of which its publisher has a record, and that no other hub knows; a protection also one of its area.
    """
    if said.merges:
        return _has_record(one, child) and not hubs_elsewhere(one, (child,))
    return not is_strange(one, child)


def is_strange(one: Waiting, child: Child) -> bool:
    """Tell whether an event's publisher is nothing to a child as it is known here: of an area where nobody else knows the child.

    No word of its own makes it more: no record with a number of its own, and no event that names the child's area as its own.
    """
    return bool(child.hubs) and not (one.own_area and any(_is_known_at(hub, child, one.producer) for hub in one.hubs))


def _has_record(one: Waiting, child: Child) -> bool:
    return any(issued_by(one.producer, link.kind) for link in child.links.values())


def _but(described: Description, kinds_of: Description) -> Description:
    kept = {kind: values for kind, values in described.identifiers.items() if kind not in kinds_of.identifiers}
    return Description(kept, described.full_names, described.places)
