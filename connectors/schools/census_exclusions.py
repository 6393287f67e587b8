"""Suspensions and permanent exclusions of one pupil: how they are said, and what becomes of those told before."""

from collections.abc import Iterator

from broker.core.model.event import Body, Concern, ConcernCode, Event, Location
from connectors.schools.census_rows import Person
from connectors.schools.census_snapshot import Draft, Snapshot


def exclusion_draft(
    person: Person, record: str, kind: tuple[str, str], what: tuple[str | None, int | None, list[str]], place: str
) -> Draft:
    """Put a suspension or permanent exclusion into words: `what` is first day, sessions and reason codes."""
    day, sessions, reasons = what
    event_type, category = kind
    concern = Concern(
        codes=[ConcernCode(scheme="dfe-exclusion-reason", code=code, abuse=None, present=True) for code in reasons],
        reason=category, starts_on=day, sessions=sessions,
    )  # fmt: skip
    return Draft(
        event_type, record, f"{person.school}\x1f{sessions}\x1f{reasons}", day, place,
        Body(identity=person.identity, location=Location(organisation=person.school), concern=concern),
        kept={"type": event_type, "who": person.identity},
    )  # fmt: skip


def say_exclusions(snapshot: Snapshot, person: Person, drafts: list[tuple[Draft, bool]], *, complete: bool) -> Iterator[Event]:
    """Say what is new or changed of a pupil's suspensions and exclusions, each with whether it could be read whole.

    What was told under another first day is corrected, if `complete` tells that no row is left out; what could not be read
    stands as it was told.
    """
    shown = {f"excluded/{draft.record}" for draft, _ in drafts}
    for draft, readable in drafts:
        key = f"excluded/{draft.record}"
        known = snapshot.known(key)
        if (not known or known.get("gone")) and (complete or not readable):
            before = snapshot.not_shown(person.stem, draft, shown)
            if before is not None and readable:
                known = snapshot.moved(*before)
            elif before is not None:
                key, known = before
                shown.add(key)
        if known and not known.get("gone") and not readable:
            snapshot.keep(key, known)
        else:
            yield from snapshot.say(key, draft, person.quality, known)
