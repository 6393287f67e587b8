"""The children of one birth date: which of them is an event about, or must it wait, or must a person say?

INVARIANT: an event that came in is forwarded to one child, or waits here, or is in review, or was ended by an audit entry.
INVARIANT: a child is told of, and an identifier is used, only after the identifier's owner granted it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import Any

from broker.codec import decode_event
from broker.core.intake.matching import Description, Match, Matcher, Strength, resemble
from broker.core.model.event import Event
from broker.core.model.identifiers import EventId
from broker.errors import ReviewClosedError
from broker.sealing.reviews import review_id
from broker.stream.identify.asking import asked_about, excluded_for, sure_of
from broker.stream.identify.joining import ends_unknown, may_hold, may_join
from broker.stream.identify.knowing import answered, joined, noted, opened
from broker.stream.identify.outcome import MOST_SHOWN, Ask, Forward, Outcome, Wait
from broker.stream.identify.room import check_beyond, check_share, has_room
from broker.stream.identify.roster import Children, Roster, event_word, name_words, resembling_words
from broker.stream.identify.said import Said
from broker.stream.identify.state import ASKED, GRANTED, IGNORED, REFUSED, Child, Link, Waiting
from broker.stream.identify.trail import TOOK_BACK, let_go
from broker.stream.identify.turn import AMBIGUOUS, CONFLICT, HOLD, OPEN, REJECTED, RESOLVED, UNIDENTIFIED, WITHDRAWN, Turn

MOST_CLOSED = 1_000
_UNSETTLED = "?"  # stands before an event whose own child is not settled, among the children it could be taken for


@dataclass(slots=True)
class Line:
    """The roster of one birth date while one record is taken: what follows from the record is done to the roster."""

    matcher: Matcher
    turn: Turn
    roster: Roster
    children: Children = field(init=False)

    def __post_init__(self) -> None:
        self.children = self.roster.children

    def arrive(self, one: Waiting, said: Said) -> None:
        """Take an event that comes in; raises TooManyReviewsError."""
        roster = self.roster
        if one.name in roster.waiting or one.name in roster.beyond or one.name in roster.closed:
            self.turn.record_end(one, "DUPLICATE")
            return
        is_done, outcome = self._take_back(one, said), self._outcome(one, said)
        if is_done and isinstance(outcome, Ask):
            self._end(one, "APPLIED", TOOK_BACK)
        else:
            if isinstance(outcome, Ask) and (outcome.kind == UNIDENTIFIED or said.merges):
                check_share(one.producer, (*(w.producer for w in roster.waiting.values() if w.review), *roster.beyond.values()))
            self._carry_out(one, said, outcome)
        if roster.waiting and roster.children_changed:
            self._settle()

    def _take_back(self, one: Waiting, said: Said) -> bool:
        """Ask nobody any more about an event that went nowhere yet and that its own agency takes back."""
        if not said.takes_back or said.undoes is None:
            return False
        return self._over("/".join(said.undoes), decode_event(one.event), "")

    def changed(self, event: Event, event_id: str, to: str) -> None:
        """Take that an event which waits here is over, as its trail says: `event` changed it, and went to `to`."""
        if self._over(f"{event.header.producer}/{event_id}", event, to):
            self._settle()

    def _over(self, name: str, event: Event, to: str) -> bool:
        """End a question; not of a registration that opened a child here, since others may mean that child by now."""
        one = self.roster.waiting.get(name)
        if one is None or not one.review or (one.opens and one.child):
            return False
        self._release(one)
        self.roster.drop(one.name)
        if let_go(one, event, to, self.turn):
            self._close(one)
        return True

    def _end(self, one: Waiting, outcome: str, why: str = "") -> None:
        self.turn.record_end(one, outcome, why)
        self._close(one)

    def _close(self, one: Waiting) -> None:
        self.roster.set_queues(closed=(*self.roster.closed, one.name)[-MOST_CLOSED:])

    def answered(self, claim: Mapping[str, Any]) -> None:
        """Take an identifier owner's answer."""
        child = self.children.get(claim["holder"])
        link = child.links.get(claim["identifier"]) if child else None
        if child is None or link is None or link.state != ASKED or child.merged_into is not None:
            return  # an answer to a question that is no longer asked
        said = (
            Link(link.kind, GRANTED)
            if claim["granted"]
            else Link(link.kind, REFUSED, claim["conflict_with"], tuple(claim["hubs"]))
        )
        self.children[claim["holder"]] = replace(child, links={**child.links, claim["identifier"]: said}).formed()
        self._settle()

    def resolved(self, resolution: Mapping[str, Any], brought: Waiting | None) -> None:
        """Take a person's answer; raises ReviewClosedError when the review is not open here.

        `brought` is the event as the reviewer's answer carries it, for one that is not kept here.
        """
        one = self.under_review(resolution["review_id"]) or self._beyond(brought)
        if one is None:
            raise ReviewClosedError("review is not open here: it was resolved or withdrawn before")
        said = self.roster.said(one)
        self._release(one)
        self.roster.drop(one.name)
        self.turn.review(one, RESOLVED, dict(resolution))
        named = self.children.resolve(resolution["child_ref"] or "") if resolution["decision"] == "LINK" else None
        if named is not None and named != one.child:
            self._linked(one, said, named)
            if (key := resolution["child_key"]) not in (None, self.turn.key):
                self.turn.learn(key, named, one)
        elif one.opens:
            self._opened_by_person(one, said)
        else:
            self._end(one, "APPLIED", REJECTED)
        self._settle()

    def under_review(self, review: str) -> Waiting | None:
        """Return the event of an open review that is kept here."""
        waiting = self.roster.waiting.values()
        return next((w for w in waiting if w.review and review_id(w.producer, w.event_id) == review), None)

    def _settle(self) -> None:
        """Try the waiting events that something could move, turn by turn, until none of them goes on to a child."""
        moved = True
        while moved and self.roster.may_move:
            moved = self._try_each_once()

    def _try_each_once(self) -> bool:
        """Try in order every event that is marked when its turn comes; return whether one went on to a child.

        What an event marks behind it is tried in the same round, what it marks before it in the next.
        """
        roster, moved = self.roster, False
        roster.newly_marked()
        turns = roster.in_order(roster.may_move)  # sorted, so a heap
        while turns:
            turn, event_id = heappop(turns)
            if event_id not in roster.may_move:
                continue
            roster.may_move.discard(event_id)
            one = roster.waiting[event_id]
            said = roster.said(one)
            outcome = self._outcome(one, said)
            self._carry_out(one, said, outcome)
            moved = moved or isinstance(outcome, Forward)
            for later in roster.in_order(roster.newly_marked()):
                if later[0] > turn:
                    heappush(turns, later)
        return moved

    def _outcome(self, one: Waiting, said: Said) -> Outcome:
        if one.child is not None and one.child in self.children:
            return self._about(one, said, Match(Strength.SAME, (self.children.resolve(one.child),)))
        match = self._match(one, said)
        if hinted := self._hinted(one, said, match):
            match = Match(Strength.UNSURE, hinted)
        if match.strength is Strength.SAME and not match.children[0].startswith(_UNSETTLED):
            return self._about(one, said, match)
        if match.strength is not Strength.NONE:
            return Ask(AMBIGUOUS, tuple(ref for ref in match.children if not ref.startswith(_UNSETTLED)))
        if one.opens and said.has_birth_date:
            return self._open(one, said)
        alike = self._resembling(said)
        return Ask(UNIDENTIFIED, alike[:MOST_SHOWN], alike)

    def _hinted(self, one: Waiting, said: Said, match: Match) -> tuple[str, ...]:
        """Return whom a person has to look at, where an NHS number that nobody traced is another child's than would be taken."""
        would_open = match.strength is Strength.NONE and one.opens
        if match.by_identifier or not said.has_birth_date or not (would_open or match.strength is Strength.SAME):
            return ()
        holders = set(self.children.holders(said.hints).values())
        return tuple(sorted(holders.union(match.children))) if holders.difference(match.children) else ()

    def _resembling(self, said: Said) -> tuple[str, ...]:
        """Return the children that a person who looks for this one might want to see."""
        refs = self.children.mentioning(resembling_words(said.description))
        children = ((ref, self.children[ref]) for ref in refs)
        return tuple(
            ref for ref, child in children if child.merged_into is None and resemble(said.description, child.described())
        )

    def _match(self, one: Waiting, said: Said) -> Match:
        known = self._known(said)
        match = self.matcher.match(said.description, known)
        if not match.by_identifier and (unsettled := self.roster.unsettled(said, one.name)):
            marked = {_UNSETTLED + event_id: described for event_id, described in unsettled.items()}
            match = self.matcher.match(said.description, {**known, **marked})
        if match.strength is Strength.NONE and said.merges:
            return self.matcher.match(said.losing, known)
        return match

    def _known(self, said: Said) -> dict[str, Description]:
        """Return the children that the matcher has to look at; a child that became another is none."""
        words = {*said.identifiers, *name_words(said.description.full_names)}
        refs = self.children.mentioning(words) if self.matcher.by_words else sorted(self.children)
        children = ((ref, self.children[ref]) for ref in refs)
        return {ref: child.described() for ref, child in children if child.merged_into is None}

    def _about(self, one: Waiting, said: Said, match: Match) -> Outcome:
        """Decide about an event that means this child, so far as it can be told."""
        ref = match.children[0]
        child = self.children[ref]
        new = {i: kind for i, kind in said.identifiers.items() if i not in child.links} if said.has_birth_date else {}
        links = {i: child.links[i] for i in said.identifiers if i in child.links}
        if child.forming and one.child is not None and not one.opens:
            return Wait()  # a person named this child, which is still to come about
        if (
            child.is_linked_by_people
            and one.child is None
            and (new or not match.by_identifier or not said.description.full_names <= child.names)
        ) or (said.part_of and one.child is None and self.turn.key not in said.part_of):
            return Ask(AMBIGUOUS, (ref,))
        if refused := [link for link in (links if not child.forming else child.links).values() if link.state == REFUSED]:
            return Ask(CONFLICT, tuple(sorted({ref, *(link.other for link in refused if link.other)})))
        losers = self._losers(ref, said)
        if not all(may_join(one, said, child, self.children[loser]) for loser in losers) or (
            one.child is None and not losers and ends_unknown(said, child)
        ):
            return Ask(AMBIGUOUS, (ref, *losers))
        new = {i: kind for i, kind in new.items() if not any(i in self.children[loser].links for loser in losers)}
        if new := said.claims(new, child.kinds):
            self._ask(ref, new)
        if new or child.forming or any(link.state == ASKED for link in links.values()):
            return Wait()
        return Ask(HOLD, (ref,)) if child.holds - {one.name} and not said.acts_at_once else Forward(ref)

    def _carry_out(self, one: Waiting, said: Said, outcome: Outcome) -> None:
        if isinstance(outcome, Forward):
            if one.review:
                self.turn.review(one, WITHDRAWN)
                self._release(one)
            self._merge(outcome.child_ref, self._losers(outcome.child_ref, said))
            self._send(one, said, outcome.child_ref)
            self.roster.drop(one.name)
        elif isinstance(outcome, Wait):
            self._keep(replace(one, child=one.child or outcome.child_ref), said)
        elif (asked := asked_about(one, said, outcome, self._losers("", said), self.children)) != one:
            asked = replace(asked, opened_at=one.opened_at or self.turn.at)
            if one.review:
                self._release(one)
            self.turn.review(asked, OPEN)
            if not one.review:
                self.turn.waits(asked)
            self._keep(asked, said)
            if said.protects and outcome.kind != UNIDENTIFIED:
                self._hold(asked, said)

    def excluded_for(self, refs: Iterable[str]) -> frozenset[str]:
        """Return whom events exclude for some children for certain, so far as they are known here."""
        return sure_of(excluded_for(refs, self.children))

    def learn(self, one: Waiting, said: Said, ref: str) -> None:
        """Take what an event said of a child to whose line it went from elsewhere."""
        self._note(one, said, self.children.resolve(ref))
        self._settle()

    def told(self, went: Mapping[str, Any]) -> None:
        """Take what the child's line says of an event: it stands, or not, as a person refused it or it never counted there."""
        ref = self.children.resolve(went["child_ref"])
        if ref in self.children:
            self.children[ref] = answered(self.children[ref], went["answer_to"], went["event_id"], stands=went["stands"])
            self._settle()

    def _send(self, one: Waiting, said: Said, ref: str) -> None:
        self.turn.forward(ref, one)
        self._note(one, said, ref)

    def _note(self, one: Waiting, said: Said, ref: str) -> None:
        child = self.children.get(ref)
        if child is None:
            return
        self.children[ref] = noted(child, one, said)
        if said.is_answered:
            self.turn.counts(ref, one)

    def _open(self, one: Waiting, said: Said) -> Outcome:
        """Open a child by a record from a register of people."""
        ref = str(self.turn.secrets.child_ref(self.turn.key, EventId(f"{one.producer}/{one.event_id}")))
        others = self.children.holders(said.identifiers)
        links = {i: Link(kind, IGNORED, others[i]) for i, kind in said.identifiers.items() if i in others}
        self.children[ref] = opened(links, one, said)
        self._ask(ref, {i: kind for i, kind in said.claims(said.identifiers).items() if i not in others})
        self.children[ref] = self.children[ref].formed()
        return Wait(ref) if self.children[ref].forming else Forward(ref)

    def _ask(self, ref: str, identifiers: Mapping[str, str]) -> None:
        """Claim identifiers for a child; they take effect when their owners grant them."""
        child = self.children[ref]
        self.children[ref] = replace(child, links={**child.links, **{i: Link(kind) for i, kind in identifiers.items()}})
        for identifier in identifiers:
            self.turn.claim(identifier, ref, child.hubs)

    def _losers(self, ref: str, said: Said) -> tuple[str, ...]:
        """Return the other children whose identifier a merge ends in favour of this one."""
        if not said.losing.identifiers:
            return ()
        return tuple(sorted(set(self.children.holders(said.losing.every_identifier).values()) - {ref}))

    def _merge(self, ref: str, losers: tuple[str, ...]) -> None:
        for loser in losers:
            ending, child = self.children[loser], self.children[ref]
            links = {**ending.links, **child.links}
            self.children[ref] = replace(
                joined(child, ending),
                links=links,
                guards=child.guards | ending.guards,
                lifted=child.lifted | ending.lifted,
                holds=child.holds | ending.holds,
                exclusions=child.exclusions | ending.exclusions,
                hubs=tuple(dict.fromkeys((*child.hubs, *ending.hubs))),
                known_by=tuple(dict.fromkeys((*child.known_by, *ending.known_by))),
            )
            self.children[loser] = Child(merged_into=ref)
            self._ask(ref, {i: link.kind for i, link in ending.links.items() if link.state == ASKED})
            self.turn.hand_over(loser, ref)

    def _linked(self, one: Waiting, said: Said, ref: str) -> None:
        """Carry out that a person said whom an event is about."""
        if one.child is not None and one.child in self.children:
            self._becomes(one.child, ref)
        elif said.has_birth_date and not (ref in self.children and self.children[ref].forming):
            self._learn(ref, said)
        if ref in self.children and self.children[ref].forming:
            self._keep(replace(one, child=ref, opens=False, review=None, candidates=()), said)
            return
        if ref in self.children:
            self._merge(ref, self._losers(ref, said))
        self._send(one, said, ref)

    def _learn(self, ref: str, said: Said) -> None:
        """Take over for a child what a person confirmed; an identifier that is another's stays the other's."""
        holders, child = self.children.holders(said.identifiers), self.children.get(ref, Child())
        wanted = {i: k for i, k in said.description_identifiers.items() if i not in holders and i not in child.links}
        new = said.claims(wanted, child.kinds)
        if new or ref in self.children:
            links = {i: replace(link, state=IGNORED) if link.state == REFUSED else link for i, link in child.links.items()}
            self.children[ref] = replace(child, links=links)
            self._ask(ref, new)

    def _becomes(self, forming: str, ref: str) -> None:
        """Give what a child that never came about would have had to the one that a person named instead."""
        ending, child = self.children[forming], self.children.get(ref, Child())
        self.children[forming] = Child(merged_into=ref)
        self.children[ref] = joined(child, ending)
        self._ask(ref, {i: link.kind for i, link in ending.links.items() if i not in child.links and link.state != IGNORED})

    def _admit(self, ref: str) -> None:
        """Let a child come about without the identifiers that are another's."""
        child = self.children[ref]
        for identifier, link in child.links.items():
            if link.state == REFUSED:
                self.turn.claim(identifier, ref, given_up=True)
        links = {i: replace(link, state=IGNORED) if link.state == REFUSED else link for i, link in child.links.items()}
        self.children[ref] = replace(child, links=links).formed()

    def _opened_by_person(self, one: Waiting, said: Said) -> None:
        """Carry out that a person said a registration is none of the known children: it is a child of its own."""
        settled = replace(one, review=None, candidates=())
        if one.child is None:
            self._carry_out(settled, said, self._open(settled, said))
        else:
            self._keep(settled, said)
            self._admit(one.child)

    def _keep(self, one: Waiting, said: Said) -> None:
        roster = self.roster
        own = one.review is not None and not said.merges and one.hub in one.hubs  # else not every hub may answer it
        if one.name in roster.waiting or not own or has_room(one, roster.waiting.values()):
            roster.keep(one, said)
        else:
            check_beyond(one.producer, roster.beyond)
            roster.set_queues(beyond={**roster.beyond, one.name: one.producer})

    def _beyond(self, brought: Waiting | None) -> Waiting | None:
        return brought if brought is not None and brought.name in self.roster.beyond else None

    def _hold(self, one: Waiting, said: Said) -> None:
        if said.merges and not self._losers("", said):
            return  # what ends is nobody's here: no event could be about it
        for ref in one.candidates:
            if ref in self.children and may_hold(one, said, self.children[ref]):
                self.children[ref] = replace(self.children[ref], holds=self.children[ref].holds | {one.name})

    def _release(self, one: Waiting) -> None:
        for ref in self.children.mentioning([event_word(one.name)]):
            child = self.children[ref]
            if one.name in child.holds:
                self.children[ref] = replace(child, holds=child.holds - {one.name})
