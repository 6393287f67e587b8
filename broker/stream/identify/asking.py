"""Who is asked whom an event is about, who hears nothing of it, not that it is late either, and what nobody is shown of it.

Asking tells (R11). Where a child that it may be about is protected, or may be by what waits, the review betrays no place (I8).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from broker.stream.identify.joining import hubs_asked
from broker.stream.identify.outcome import Ask
from broker.stream.identify.roster import Children
from broker.stream.identify.said import Said
from broker.stream.identify.state import REFUSED, Child, Exclusion, Waiting
from broker.stream.identify.turn import UNIDENTIFIED


def asked_about(one: Waiting, said: Said, outcome: Ask, losers: Sequence[str], children: Children) -> Waiting:
    """Return an event as it waits for a person's word.

    Who is asked is the first in turn whom no event excludes for a child that it may be about; of a merge, for the child that
    would end before the one that would stay.
    """
    candidates = outcome.candidates if outcome.kind != UNIDENTIFIED else ()
    refs = tuple(dict.fromkeys((*losers, *candidates)))
    words = excluded_for(refs, children).union(said.excludes)
    excluded, sure = {word.recipient for word in words}, sure_of(words)
    hubs = hubs_asked(one, said, _meant(refs, children))
    hub = next((hub for without in (excluded, sure) for hub in hubs if hub not in without), "")
    known = _known((*losers, *outcome.candidates, *outcome.alike), children)
    silent = excluded - {hub} if hub else excluded.union(one.hubs)  # whoever may not answer is not told either that nobody did
    return replace(
        one,
        review=outcome.kind,
        candidates=outcome.candidates,
        hub=hub,
        silent=tuple(sorted(silent)),
        stand_ins=tuple(one for one in hubs if one not in {hub, *excluded}),
        guards=tuple(sorted({guard.kind for child in known for guard in child.guards})),
        guarded=any(child.guards or child.holds - {one.name} for child in known),
    )


def excluded_for(refs: Iterable[str], children: Children) -> frozenset[Exclusion]:
    """Return whom events exclude for some children, so far as they are known here."""
    return frozenset(one for child in _known(refs, children) for one in child.exclusions)


def sure_of(exclusions: Iterable[Exclusion]) -> frozenset[str]:
    """Return whom events exclude for certain: what is in question turns a question to another, and leaves somebody to ask."""
    return frozenset(one.recipient for one in exclusions if not one.doubted)


def _meant(refs: Iterable[str], children: Children) -> list[Child]:
    """Return some children; of one that is known under another birth date what its identifier's owner said: its hubs."""
    here = [children[ref] for ref in refs if ref in children]
    elsewhere = {link.other: link.hubs for child in here for link in child.links.values() if link.state == REFUSED}
    return [*here, *(Child(hubs=elsewhere[ref]) for ref in refs if ref in elsewhere and ref not in children)]


def _known(refs: Iterable[str], children: Children) -> list[Child]:
    return [children[ref] for ref in map(children.resolve, refs) if ref in children]
