"""What is known of a child after an event about it: names, places, what protects it, whom its events exclude, its hubs."""

from dataclasses import replace

from broker.stream.identify.joining import is_strange
from broker.stream.identify.said import Said
from broker.stream.identify.state import Child, Waiting

_MOST_NAMES, _MOST_PLACES = 8, 16


def noted(child: Child, one: Waiting, said: Said) -> Child:
    """Return a child as it is known after an event that is about it."""
    names, places = child.names, child.places
    if said.teaches:
        names = names if len(names | said.description.full_names) > _MOST_NAMES else names | said.description.full_names
        places = places if len(places | said.description.places) > _MOST_PLACES else places | said.description.places
    return replace(
        child,
        names=names,
        places=places,
        guards=said.guards_after(child.guards, one.hubs),
        exclusions=said.exclusions_after(child.exclusions, doubted=is_strange(one, child)),
        hubs=said.hubs_after(child.hubs, one.hubs),
    )


def answered(child: Child, by: str, event_id: str, *, stands: bool) -> Child:
    """Return a child as its line says of an agency's event: what does not stand is gone, whom it excludes may be sure by now.

    `X/excluded` is only whom event X excludes.
    """
    named = event_id.partition("/")[0]
    its = frozenset(one for one in child.exclusions if (one.by, one.event_id) == (by, named))
    if stands:
        return replace(child, exclusions=child.exclusions - its | {one._replace(doubted=False) for one in its})
    guards = frozenset(one for one in child.guards if (one.by, one.event_id) != (by, event_id))
    return replace(child, guards=guards, exclusions=child.exclusions - its)
