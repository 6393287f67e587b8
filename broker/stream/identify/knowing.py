"""What is known of a child after an event about it: names, places, what protects it, whom its events exclude, its hubs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from broker.stream.identify.joining import is_strange
from broker.stream.identify.said import Said
from broker.stream.identify.state import PERSON, Child, Link, Waiting

_MOST_NAMES, _MOST_PLACES = 4, 8  # of each agency: whoever says many uses up its own alone
_MOST_LIFTED = 64
_MOST_WORDS = 2  # agencies of one area through which a child is known there: one beside whoever speaks
_AGENCIES = 8  # so many times as much is kept of all together

_Item = TypeVar("_Item", tuple[str, str], str)


def noted(child: Child, one: Waiting, said: Said) -> Child:
    """Return a child as it is known after an event that is about it."""
    at_home = one.own_area and child.hubs[0] in one.hubs if child.hubs else True  # a record of its own is its own word
    doubted = said.is_held_of_strangers and not at_home
    guards = said.guards_after(child.guards, one.hubs, doubted=doubted)
    return replace(
        learned(child, said) if said.teaches else child,
        guards=guards,
        lifted=frozenset(sorted(child.lifted | (child.guards - guards))[:_MOST_LIFTED]),
        exclusions=said.exclusions_after(child.exclusions, doubted=is_strange(one, child)),
        hubs=child.hubs if doubted else said.hubs_after(child.hubs, one.hubs),
        known_by=_known_by(child, one) if said.ties and not doubted else child.known_by,
    )


def opened(links: Mapping[str, Link], one: Waiting, said: Said) -> Child:
    """Return a child that comes about by a record from a register of people."""
    child = Child(links, exclusions=frozenset(said.excludes), hubs=one.hubs, forming=True)
    return learned(replace(child, known_by=_known_by(child, one)), said)


def _known_by(child: Child, one: Waiting) -> tuple[tuple[str, str], ...]:
    """Return through whom a child is known where, after an event that ties it to an area."""
    known = child.known_by
    new = [(hub, one.producer) for hub in one.hubs if (hub, one.producer) not in known]
    return (*known, *(word for word in new if sum(hub == word[0] for hub, _ in known) < _MOST_WORDS))


def learned(child: Child, said: Said) -> Child:
    """Return a child with the names and places that an event says; of each agency the newest are kept."""
    words = said.description
    names = _with(child.names_by, sorted(words.full_names), said.by, _MOST_NAMES)
    return replace(child, names_by=names, places_by=_with(child.places_by, sorted(words.places), said.by, _MOST_PLACES))


def joined(child: Child, ending: Child) -> Child:
    """Return a child with the names and places of another that became it."""
    names = (*(one for one in ending.names_by if one not in child.names_by), *child.names_by)
    places = (*(one for one in ending.places_by if one not in child.places_by), *child.places_by)
    return replace(child, names_by=names, places_by=places)


def _with(kept: tuple[tuple[_Item, str], ...], new: Sequence[_Item], by: str, most: int) -> tuple[tuple[_Item, str], ...]:
    new = new[-most:]
    its_own = [item for item, whose in kept if whose == by and item not in new]
    gone = set(its_own[: max(0, len(its_own) + len(new) - most)])
    left = [one for one in kept if one[1] != by or (one[0] not in new and one[0] not in gone)]
    left.extend((item, by) for item in new)
    return tuple(left[-most * _AGENCIES :])


def answered(child: Child, by: str, event_id: str, *, stands: bool) -> Child:
    """Return a child as its line says of an agency's event: what does not stand is gone, whom it excludes may be sure by now.

    `X/excluded` is only whom event X excludes.
    """
    named = event_id.partition("/")[0]
    its = frozenset(one for one in child.exclusions if (one.by, one.event_id) == (by, named))
    if stands:
        again = frozenset(one for one in child.lifted if (one.by, one.event_id) == (by, event_id))
        sure = child.exclusions - its | {one._replace(doubted=False) for one in its}
        new = frozenset(one for one in child.guards if (one.by, one.event_id, one.doubted) == (by, event_id, True))
        guards = child.guards - new | again | {one._replace(doubted=False) for one in new}
        there = [hub for one in sorted(new) for hub in one.hubs]
        known_by = tuple(dict.fromkeys((*child.known_by, *((hub, PERSON) for hub in there))))
        hubs = tuple(dict.fromkeys((*child.hubs, *there)))
        return replace(child, guards=guards, lifted=child.lifted - again, exclusions=sure, hubs=hubs, known_by=known_by)
    guards = frozenset(one for one in child.guards if (one.by, one.event_id) != (by, event_id))
    return replace(child, guards=guards, exclusions=child.exclusions - its)
