"""What a child's line refused tells `identify`, where it counted until then: what protects the child, or whom it excludes.

No agency sets by its mere word for good what a person, or the line itself, did not let stand (I10).
"""

from collections.abc import Iterator

from broker import codec
from broker.core.betrayal import PROTECTS
from broker.core.claims import EXCLUSION
from broker.core.corrections import takes_back
from broker.core.event import Event
from broker.core.ports import CAUSE, Outgoing, Position
from broker.stream.decide.draft import Draft
from broker.stream.topics import CANDIDATES


def told_of_refused(draft: Draft, taken: bytes | None) -> Iterator[Outgoing]:
    """Yield a word to who keeps the trail of each event that ended here and left nothing; `taken` is this record's own event.

    What went with a merge waits elsewhere now, and ended nowhere.
    """
    if draft.facts.merged_into is not None:
        return
    waiting = {one.about for one in draft.shelf}
    ended = [codec.decode_event(one.event) for one in draft.left if one.event]
    own = [codec.decode_event(taken)] if taken is not None else []
    over = [one for one in (*ended, *(one for one in own if _protects(one))) if not _stands(one, draft, waiting)]
    for number, event in enumerate({one.header.event_id: one for one in over}.values()):
        place = Position(f"{draft.record.topic}/{draft.record.partition}", draft.record.offset, len(draft.outputs) + number)
        by, name = event.header.producer, event.header.event_id
        value = codec.encode("candidate", {"kind": "ANSWER", "went": {"event_id": name, "child_ref": "", "answer_to": by}})
        whole = name.rpartition("/")[0] if event.header.event_type == EXCLUSION else name
        key = draft.secrets.trail_key(by, whole)
        yield Outgoing(CANDIDATES, key.encode(), value, ((CAUSE, bytes(place)),))


def _stands(event: Event, draft: Draft, waiting: set[str]) -> bool:
    """Tell whether an event waits, or left what it says in the facts, or says nothing that could count elsewhere."""
    name, facts = event.header.event_id, draft.facts
    if name in waiting or not (_protects(event) or event.header.excluded):
        return True
    return any(one.event_id == name for said in (facts.protections, facts.exclusions) for one in said)


def _protects(event: Event) -> bool:
    control = event.control or {}
    sets = event.header.event_type == "control.protection" and control.get("state") == "set"
    return sets and control.get("kind") in PROTECTS and not takes_back(event)
