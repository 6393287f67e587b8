"""What a child's line says of a protection, or of whom an event excludes, to `identify`, where it counts meanwhile.

No agency sets by its mere word for good what a person, or the line itself, did not let stand (I10).
"""

from collections.abc import Iterator

from broker import codec
from broker.core.model.event import Event
from broker.core.model.facts import Protection
from broker.core.model.ports import CAUSE, Outgoing, Position
from broker.core.model.protections import FORGOTTEN, PROTECTS
from broker.core.model.versions import takes_back
from broker.stream.decide.draft import Draft
from broker.stream.topics import CANDIDATES


def answers(draft: Draft) -> Iterator[Outgoing]:
    """Yield a word to who keeps the trail of each event that ended here: its record's own, or one that was held.

    What was held and stands now is told too, whom an event excludes where that counted at once, and of a protection that was
    lifted and stands again, as whoever lifted it took that back. What went with a merge
    waits elsewhere now, and ended nowhere.
    """
    if draft.facts.merged_into is not None:
        return
    waiting = {one.about for one in draft.shelf}
    held = [event for one in draft.left if _says(event := codec.decode_event(one.event))]
    own, names = [], {}
    if draft.taken is not None and _says(draft.taken[0]):
        own, names = [draft.taken[0]], {draft.taken[0].header.event_id: draft.taken[1]}
    over = {one.header.event_id: one for one in (*own, *held) if one.header.event_id not in waiting}
    told = [one for one in over.values() if one in held or _is_news(one, draft) or _excludes(one, draft)]
    words: list[tuple[str, str, str, bool]] = []
    for event in told:
        by, name = event.header.producer, names.get(event.header.event_id, event.header.event_id)
        whole = name.partition("/")[0]  # `X/excluded` is only whom event X excludes
        words.append((by, whole, name, _stands(event, draft)))
    words += [(one.by, one.event_id, one.event_id, True) for one in draft.facts.protections if _stands_again(one, draft)]
    for number, (who, whole, said, stands) in enumerate(words, len(draft.outputs)):
        place = Position(f"{draft.record.topic}/{draft.record.partition}", draft.record.offset, number)
        went = {"event_id": said, "child_ref": "", "answer_to": who, "stands": stands}
        key = draft.secrets.trail_key(who, whole).encode()
        yield Outgoing(CANDIDATES, key, codec.encode("candidate", {"kind": "ANSWER", "went": went}), ((CAUSE, bytes(place)),))


def _is_news(event: Event, draft: Draft) -> bool:
    """Tell whether `identify` may hold otherwise of a protection: it counts there at once, but for what lets only a hub hear."""
    return _protects(event) and (not _stands(event, draft) or (event.control or {}).get("kind") in FORGOTTEN)


def _stands(event: Event, draft: Draft) -> bool:
    """Tell whether an event left what it says in the facts."""
    return _excludes(event, draft) or any(one.event_id == event.header.event_id for one in draft.facts.protections)


def _stands_again(one: Protection, draft: Draft) -> bool:
    return one.until is None and one.event_id in draft.lifted


def _excludes(event: Event, draft: Draft) -> bool:
    return any(one.event_id == event.header.event_id for one in draft.facts.exclusions)


def _says(event: Event) -> bool:
    return _protects(event) or bool(event.header.excluded)


def _protects(event: Event) -> bool:
    control = event.control or {}
    sets = event.header.event_type == "control.protection" and control.get("state") == "set"
    return sets and control.get("kind") in PROTECTS and not takes_back(event)
