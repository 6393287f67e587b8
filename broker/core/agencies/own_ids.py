"""An event id is its publisher's own: where another used it first for this child, the later event has a name apart (I10).

Ids can be guessed, as most are made from an agency's own record numbers: nobody silences an alert by saying its id first.
"""

from dataclasses import replace

from broker.core.model.event import Event
from broker.core.model.facts import OVERTAKEN, Facts
from broker.core.model.identifiers import AgencyId, EventId, event_id


def own_ids(facts: Facts, event: Event) -> Event:
    """Return the event under the ids that its agency's own events have on this line; itself where nobody else used them.

    What it says of another agency's event still names that one.
    """
    header, control = event.header, event.control
    producer, named = header.producer, (control or {}).get("concerns_event")
    own = _apart(header.event_id, producer) if _is_anothers(facts, header.event_id, producer) else header.event_id
    earlier = header.supersedes and _meant(facts, header.supersedes, producer)
    about = named and _meant(facts, EventId(named), producer)
    if (own, earlier, about) == (header.event_id, header.supersedes, named):
        return event
    renamed = control if control is None or about == named else {**control, "concerns_event": about}
    return replace(event, header=replace(header, event_id=own, supersedes=earlier), control=renamed)


def _meant(facts: Facts, name: EventId, producer: AgencyId) -> EventId:
    """Return the event that an agency means: its own, where it has one of this id."""
    if facts.voices.get(name, producer) == producer:
        return name
    own = _apart(name, producer)
    return own if own in facts.voices else name


def _is_anothers(facts: Facts, name: EventId, producer: AgencyId) -> bool:
    """Tell whether another agency's event of this id was taken. What was only said of one before it came binds nobody else."""
    return facts.voices.get(name, producer) != producer and facts.seen.get(name, OVERTAKEN) != OVERTAKEN


def _apart(name: EventId, producer: AgencyId) -> EventId:
    return event_id("safeguarding-broker/apart", producer, name)
