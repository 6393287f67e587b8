"""One child's line: what one record makes of what is known about the child, and what has to be written because of it.

Pure. A turn is a value; `broker.stream.decide.enforce` gives its notices their ids and writes them after the audit entry.
"""

from collections.abc import Sequence
from dataclasses import replace

from broker.core.agencies.asking import hub_asked
from broker.core.agencies.authority import binds_the_line, protects, unfit
from broker.core.agencies.claims import exclusion_apart, seats_nobody, speaks_for
from broker.core.deciding.decide import decide
from broker.core.line import corrections
from broker.core.line.apply import EXCLUSIONS, SEATS, apply_event, claimed, noted
from broker.core.line.corrections import Corrected
from broker.core.line.notices import notice_of, turn_of
from broker.core.line.release import awaits_release, released_no_more
from broker.core.line.telling import about_another, as_known, told_anew, without_strangers
from broker.core.line.undoing import linked, replaced, unclaimed, undone, with_link
from broker.core.model.content import content_digest
from broker.core.model.dates import instant_of
from broker.core.model.event import Action, Event
from broker.core.model.facts import OVERTAKEN, Facts
from broker.core.model.identifiers import Millis, RecipientId
from broker.core.model.policy import Policy
from broker.core.model.question import BEHIND_A_CONTROL
from broker.core.model.registers import Registers
from broker.core.model.rules import Rules
from broker.core.model.turn import APPLIED, DUPLICATE, IN_REVIEW, Turn
from broker.core.model.verdict import Outcome
from broker.core.model.versions import superseded_by, takes_back
from broker.core.waiting import questions
from broker.errors import ChangedContentError, StaleVersionError

_TAKEN_BACK = "it was taken back by its publisher before it came"
_FOREIGN = "another agency's record cannot be taken back or changed: a person has to ask both"
_OVER = "its publisher took it back or changed it while a person was asked about it"
_TOO_LATE = "a later version of this record was taken before: what it changed is over"
_ELSEWHERE = "its publisher says now that it was about another child: what was said here is over"
_SEEN = "the same event was taken before"
_CHANGED = "the same event id came before with other content: publish the change as an update under an id of its own"


def take_event(facts: Facts, event: Event, rules: Rules, at: Millis, overtaken: Sequence[Event] = ()) -> Turn:
    """Take one event about this child: a duplicate, held, taken back before it came, a correction, or decided.

    The caller has given it the ids that its agency's own events have here (`broker.core.agencies.own_ids`). `overtaken` are the
    events of the same agency in review that this one takes back or changes: once it is taken, they hold the line no longer.

    Raises StaleVersionError when a later version of the same record was taken before, and ChangedContentError when the same id
    said something else before.
    """
    event = _its_own_word(facts, event, rules)
    facts = without_strangers(_own(facts, event), event.header, rules.registers)
    known = facts.seen.get(event.header.event_id)
    if known is not None and known != OVERTAKEN:
        if facts.contents.get(event.header.event_id) not in {None, content_digest(event)}:
            raise ChangedContentError(_CHANGED)
        return Turn(outcome=DUPLICATE, facts=facts, others=_SEEN)
    if (known == OVERTAKEN and event.header.supersedes is None) or corrections.is_older(facts, event, overtaken):
        raise StaleVersionError("a later version of this record was taken before: nothing to do")
    doubt, left = doubt_about(facts, event, rules), without_held(facts, overtaken)
    if known == OVERTAKEN and corrections.is_of(facts, event):
        return _too_late(left, event, rules)  # whatever else waits: it only takes back
    if doubt or (left.holds and not _acts_at_once(event, rules)):
        return _hold(facts, event, rules, doubt)
    if left.holds:
        return decide_released(left, event, rules)
    return decide_now(left, event, rules, at)


def _its_own_word(facts: Facts, event: Event, rules: Rules) -> Event:
    """Return a protection that names another agency's record as one of its own: it changes nothing, and nothing delays it."""
    if corrections.is_of(facts, event) or not protects(event, rules.policy):
        return event
    return replace(event, header=replace(event.header, action=Action.NEW, supersedes=None))


def doubt_about(facts: Facts, event: Event, rules: Rules) -> str:
    """Return why a person has to look at an event whatever else waits; empty when nobody has."""
    return unfit(event, facts, rules.policy, rules.registers) if corrections.is_of(facts, event) else _FOREIGN


def _acts_at_once(event: Event, rules: Rules) -> bool:
    """Tell whether no open question delays an event: it sets a protection, or its publisher takes back its own word."""
    return takes_back(event) or protects(event, rules.policy)


def without_held(facts: Facts, overtaken: Sequence[Event]) -> Facts:
    """Let go of what was held and is over, as versions of one chain: who takes back one of them takes back all."""
    facts = replace(facts, holds=facts.holds - {one.header.event_id for one in overtaken})
    for one in overtaken:
        earlier = superseded_by(one)
        if earlier is not None and corrections.is_of(facts, one) and not takes_back(one):
            facts = _overtaken(with_link(facts, one.header.event_id, earlier), one)  # also where it is in another record
    return facts


def _too_late(facts: Facts, event: Event, rules: Rules, *, is_over: bool = False) -> Turn:
    """End what an event changes that comes after a later version of it: the two ends of a chain meet, here or in a merge.

    `is_over`: nothing of the chain stands on this line, so nothing that was said of it does.
    """
    earlier = event.header.supersedes
    if event.header.action is not Action.UPDATE or earlier is None:
        return Turn(outcome=APPLIED, facts=noted(facts, event), others=_TOO_LATE)
    ended = corrections.passed_over(facts, event)
    known = noted(_overtaken(facts, event), event)
    after = with_link((undone if is_over else replaced)(known, earlier), event.header.event_id, earlier)
    gone = corrections.cancelled(corrections.marked(after, ended), event.header.event_id)
    return replace(turn_of(after, event, corrections.joined(ended, gone), rules, None), others=_TOO_LATE)


def take_away(facts: Facts, event: Event, rules: Rules, overtaken: Sequence[Event] = ()) -> Turn:
    """End what an event of this line said: a later version is about another child, or its publisher took it back.

    `overtaken` as for `take_event`.
    """
    facts = without_held(facts, overtaken)
    if takes_back(event):
        return decide_now(facts, event, rules, facts.at)
    return replace(_too_late(facts, event, rules, is_over=True), others=_ELSEWHERE)


def decide_now(facts: Facts, event: Event, rules: Rules, at: Millis) -> Turn:
    """Apply and decide an event that nothing holds."""
    header = event.header
    was_cancelled = header.event_id in facts.cancelled
    if was_cancelled and header.action is Action.UPDATE:
        return replace(_too_late(facts, event, rules, is_over=True), others=_TAKEN_BACK)  # what it changed is over, too
    kind = rules.policy.events.get(header.event_type)
    apart = exclusion_apart(event, facts, kind, rules.registers)
    unseen = {EXCLUSIONS} if apart else set()
    unseen |= {SEATS} if seats_nobody(event, facts, kind, rules.registers) else set()
    after = _overtaken(apply_event(facts, event, at, _catalogue(event, rules), but_for=unseen), event)
    after = linked(after, apart.header.event_id, header.event_id) if apart else after  # taken back with what it was said in
    if was_cancelled:
        return Turn(outcome=APPLIED, facts=after, others=_TAKEN_BACK)
    if takes_back(event):
        found = _and_let_go(facts, after, event, corrections.taken_back(facts, event), rules)
        return turn_of(after, event, found, rules, None)
    event = as_known(after, event)
    verdict = decide(event, after, rules.policy, rules.registers, at)
    granted = tuple(notice_of(event, one, after, rules) for one in verdict.decisions if one.outcome is Outcome.DISCLOSE)
    corrected = corrections.changed(facts, event, granted)
    turn = turn_of(after, event, _and_let_go(facts, after, event, corrected, rules), rules, verdict)
    others = "; ".join(filter(None, (turn.others, _shortened(after, event, rules.policy))))
    concerns = (*turn.concerns, *about_another(event, kind))
    return replace(turn, others=others, awaits=awaits_release(verdict, rules.policy), apart=apart, concerns=concerns)


def _and_let_go(before: Facts, after: Facts, event: Event, found: Corrected, rules: Rules) -> Corrected:
    """Add what follows for those who hold what may not be held any more."""
    if before.findings != after.findings:
        released = released_no_more(before, corrections.marked(after, found), event.header.event_id)
        found = corrections.joined(found, released)
    if event.control is not None or event.header.action is not Action.NEW:  # any other speaks of nothing but itself
        found = corrections.joined(found, told_anew(before, corrections.marked(after, found)))
    marked = corrections.marked(after, found)
    return corrections.joined(found, corrections.no_longer_held(marked, event, rules.policy, rules.registers))


def decide_released(facts: Facts, event: Event, rules: Rules) -> Turn:
    """Decide a held event that a person let go on; whatever else holds the line goes on holding it."""
    name = event.header.event_id
    if facts.seen.get(name) == OVERTAKEN and name in facts.roots:  # a version between, let go on with what changes it
        return Turn(outcome=APPLIED, facts=noted(facts, event), others=_TOO_LATE)
    if name in facts.roots.values() or facts.seen.get(name) == OVERTAKEN:
        return _too_late(facts, event, rules)
    turn = decide_now(replace(facts, holds=frozenset()), event, rules, facts.at)
    return replace(turn, facts=replace(turn.facts, holds=facts.holds))


def end_held(facts: Facts, event: Event) -> Turn:
    """End a held event that its publisher took back or changed: nobody has to decide about it any more."""
    return Turn(outcome=APPLIED, facts=replace(facts, holds=facts.holds - {event.header.event_id}), others=_OVER)


def spoken_for(facts: Facts, event: Event) -> Facts:
    """Let a person's yes say whose the event is that this one changes, where it did not come to this record."""
    name = superseded_by(event)
    if name is None or facts.seen.get(name, OVERTAKEN) != OVERTAKEN:
        return facts
    if facts.voices.get(name, event.header.producer) != event.header.producer:
        facts = unclaimed(facts, name)
    return replace(facts, voices={**facts.voices, name: event.header.producer})


def hub_for(facts: Facts, event: Event, registers: Registers) -> RecipientId | None:
    """Return the hub that hears what nobody else can decide."""
    return hub_asked(event.header, facts, registers)


def _own(facts: Facts, event: Event) -> Facts:
    """Return the facts without what another agency said of this event's id before it came: that binds nobody but itself."""
    header = event.header
    if facts.voices.get(header.event_id, header.producer) == header.producer:
        return facts
    return unclaimed(facts, header.event_id)


def _shortened(after: Facts, event: Event, policy: Policy) -> str:
    """Say for the audit where a finding does not hold for as long as it says."""
    made = next((one for one in after.findings if one.event_id == event.header.event_id), None)
    kind = policy.findings.get(made.kind) if made else None
    if made is None or kind is None or made.until == instant_of((event.control or {}).get("until")):
        return ""
    return f"it holds for {kind.longest} months, which is the longest for `{kind.name}`: then it is in question, or over"


def _catalogue(event: Event, rules: Rules) -> Policy:
    """Return the policy by which an event counts: whoever speaks for a school by the registers begins and ends its ties."""
    kind = rules.policy.events.get(event.header.event_type)
    if kind is None or not speaks_for(event, rules.registers):
        return rules.policy
    return replace(rules.policy, events={**rules.policy.events, kind.name: replace(kind, for_others=True)})


def _overtaken(facts: Facts, event: Event) -> Facts:
    """Remember an earlier version that did not come yet: when it does, it must not overwrite this one."""
    earlier = event.header.supersedes
    if event.header.action is not Action.UPDATE or earlier is None or earlier in facts.seen:
        return facts
    return replace(claimed(facts, earlier, event.header.producer), seen={**facts.seen, earlier: OVERTAKEN})


def _hold(facts: Facts, event: Event, rules: Rules, doubt: str) -> Turn:
    """Let people decide; what may keep something back binds the line until they have."""
    header = event.header
    why = doubt or BEHIND_A_CONTROL
    binds = bool(doubt) and binds_the_line(event, facts, rules.policy, rules.registers)
    on_hold = replace(noted(facts, event), holds=facts.holds | {header.event_id})
    verdict = decide(event, on_hold, rules.policy, rules.registers, facts.at)  # everything in it is asked of the hub
    question = questions.held(event, facts, why, rules, verdict)
    held = on_hold if binds else replace(on_hold, holds=facts.holds)
    return Turn(outcome=IN_REVIEW, facts=held, verdict=verdict, others=why, questions=(question,))
