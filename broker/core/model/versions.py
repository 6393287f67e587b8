"""Versions: which event another one takes back or changes, as its publisher says."""

from broker.core.model.event import Action, Event
from broker.core.model.identifiers import EventId

RETRACTION_TYPE = "control.retraction"


def superseded_by(event: Event) -> EventId | None:
    """Return the event that this one takes back or changes. There is one answer, so that none is taken back unchecked."""
    named = (event.control or {}).get("concerns_event") if event.header.event_type == RETRACTION_TYPE else None
    return event.header.supersedes or (EventId(named) if named else None)


def takes_back(event: Event) -> bool:
    """Tell whether an event takes another back rather than saying something itself."""
    return event.header.action is Action.RETRACT or event.header.event_type == RETRACTION_TYPE


def names_nobody_in_an_exclusion(event: Event) -> bool:
    """Tell whether an event that is to exclude somebody says nobody in `excluded`; a later version may, and then lets go."""
    lets_go = event.header.action is not Action.NEW and not (event.control or {}).get("recipients")
    return not (event.header.excluded or lets_go or takes_back(event))
