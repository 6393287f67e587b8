"""What is known of a child after an event about it: names, places, what protects it, whom its events exclude, its hubs."""

from dataclasses import replace

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
        exclusions=said.exclusions_after(child.exclusions),
        hubs=said.hubs_after(child.hubs, one.hubs),
    )


def without(child: Child, by: str, event_id: str) -> Child:
    """Return a child without what an event said of it that does not stand; `X/excluded` is only whom event X excludes."""
    guards = frozenset(one for one in child.guards if (one.by, one.event_id) != (by, event_id))
    named = event_id.partition("/")[0]
    exclusions = frozenset(one for one in child.exclusions if (one.by, one.event_id) != (by, named))
    return replace(child, guards=guards, exclusions=exclusions)
