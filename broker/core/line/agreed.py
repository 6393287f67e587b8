"""Who must let go of something because the agreement on which they were told it is there no longer (R4, I6, I7).

A withdrawal stops the future by itself, for rules ask what was last agreed; this is about the past. It means only those whose
granted view depended on the agreement, not those told on another ground, and the audit keeps everything.
"""

from collections.abc import Iterator

from broker.core.deciding.conditions import last_word
from broker.core.line import recall
from broker.core.model import ledger
from broker.core.model.facts import Agreement, Facts, Sent
from broker.core.model.policy import WITHDRAWN, Condition, Policy, Question

# Where these are found, a no said by a child or a parent takes nothing from anybody who may need it to protect the child.
_NO = frozenset({"refused", WITHDRAWN})
OUTWEIGH = frozenset({"significant_harm", "coercion"})


def no_longer(facts: Facts, policy: Policy) -> Iterator[tuple[Sent, recall.Cause]]:
    """Yield what was told on the strength of an agreement that does not stand today, each with the cause to tell.

    An agreement that ran out by its own date is no withdrawal: it lets nobody be told anew, and nobody is told to stop.
    """
    for held in ledger.standing(facts):
        if held.agreed and not _is_outweighed(facts, held):
            ended = [word for one in _asked(held, policy) for word in _ended(facts, held, one)]
            if ended:
                yield held, recall.withdrawn(ended[0])


def _ended(facts: Facts, held: Sent, asked: Condition) -> Iterator[Agreement | None]:
    word = last_word(facts.agreements, _names(held), asked, facts.at, held.producer)
    if word is None or word.state in _NO:
        yield word


def _asked(held: Sent, policy: Policy) -> Iterator[Condition]:
    """Yield the agreements that the rules asked for by which it went; a rule that is gone asks for nothing any more."""
    for rule in policy.rules:
        if rule.id in held.agreed_by:
            yield from (one for block in (rule.when, *rule.unless) for one in block if one.about is Question.AGREEMENT)


def _is_outweighed(facts: Facts, held: Sent) -> bool:
    """INVARIANT: a consent withdrawn alone withholds nothing where significant harm is likely (I6)."""
    return any(
        one.kind in OUTWEIGH
        and not one.lapsed
        and one.since <= facts.at
        and (one.until is None or one.until > facts.at)
        and (not one.recipients or not one.recipients.isdisjoint(_names(held)))
        for one in facts.findings
    )


def _names(held: Sent) -> frozenset[str]:
    return frozenset((held.recipient, held.role, *held.roles))
