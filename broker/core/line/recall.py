"""What is said to somebody who must let go of what they hold, in whole or in part: messages without content of their own.

What the words reveal: that a part may not be held any more, and which kinds of part; never that a protection exists, which,
whose or since when, and nothing of the child that the reader did not hold before. That a place is to be forgotten cannot be
hidden from whoever is told to forget it, so the words are the same for every cause but one: that an agreement was withdrawn
is said, because who was told on the strength of it knew of it. Where nothing of use is left, the message is that of any
retraction. Who held no more than may be held hears nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from broker.core.account.words import category_in_words, instant_in_words
from broker.core.model.event import Category
from broker.core.model.facts import Agreement, Sent
from broker.core.model.identifiers import EventId, digest
from broker.core.model.notice import CORRECTION_CLOCK, CORRECTION_STOPS_ON, TOLD_RULE, Notice
from broker.core.model.policy import SHAREABLE, Cut

RULE = "corrections-follow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something is to be let go: what is said where all of it goes (`whole`), and where a part does (`part`)."""

    whole: tuple[str, ...]
    part: tuple[str, ...]
    lawful_basis: str
    gateway: str


CHANGED = Cause(
    whole=("Stop using this and ask the source.",),
    part=("What may be held of this has changed.",),
    lawful_basis="LEGAL_OBLIGATION",
    gateway="UK GDPR Article 19",  # a controller tells each recipient of a rectification or erasure
)
_DELETE = "In every copy of the earlier message, delete now: {parts}."
_KEEP = "Keep no more of it than the law that binds you requires."


def withdrawn(agreement: Agreement | None) -> Cause:
    """Say that who was told on the strength of an agreement has it no longer; None: it was said in error."""
    what = _AGREEMENTS[agreement.kind] if agreement else "The agreement"
    when = f"withdrawn on {instant_in_words(agreement.since)}" if agreement else "recorded in error"
    why = f"{what} on which you were told this was {when}."
    return Cause(
        whole=(why, "Stop using this.", _KEEP), part=(why,), lawful_basis="PUBLIC_TASK", gateway="Children Act 2004 section 11"
    )


_AGREEMENTS = {"consent": "The consent", "service": "The agreement to the service"}
_CATEGORY_PARTS: Mapping[Category, str] = {
    Category.LOCATION: "every place",
    Category.CONTACT: "every address, telephone number and e-mail address",
}
_CUT_PARTS: Mapping[Cut, str] = {
    Cut.PLACE: "who said it, whom to ask, references, local numbers, and every school, practice, team or other organisation",
    Cut.FREE_TEXT: "every free text that is not marked as checked",
    Cut.FORMER_IDENTITY: "former names and numbers",
}


def stop(held: Sent, by: EventId, cause: Cause = CHANGED) -> Notice:
    """Say to let go of all of a disclosure, and nothing that its recipient does not know: its own event type and role."""
    return Notice(
        event_id=EventId(f"{by}/{held.disclosure_id}"),
        event_type=held.event_type,
        producer=held.producer,
        recipient=held.recipient,
        role=held.role,
        kind="RETRACTION",
        because=cause.whole,
        lawful_basis=cause.lawful_basis,
        gateway=cause.gateway,
        rules=(RULE,),
        clock=CORRECTION_CLOCK,
        stops_on=CORRECTION_STOPS_ON,
        replaces=held.disclosure_id,
        version=held.version + 1,
        excluded=held.excluded,
        by_ledger=True,
    )


def trim(held: Sent, left: frozenset[Category], cuts: frozenset[Cut] = frozenset(), cause: Cause = CHANGED) -> Notice:
    """Say which parts of a disclosure to delete and which to keep.

    The recipient's own copy, trimmed, is what stands from now on. Its digest is that of the trimming, not of a content that
    the broker does not have: a later version goes to the recipient even where it says no more, and gives it a clean copy.
    """
    gone = (*_parts(held.categories - left), *(_CUT_PARTS[one] for one in Cut if one in cuts))
    kept = ", ".join(category_in_words(one) for one in SHAREABLE if one in left and one is not Category.EXISTENCE)
    trimmed = ",".join((*sorted(left), *sorted(cuts)))
    return Notice(
        event_id=held.event_id,
        event_type=held.event_type,
        producer=held.producer,
        recipient=held.recipient,
        role=held.role,
        kind="CORRECTION",
        because=(
            *cause.part,
            _DELETE.format(parts="; ".join(gone)),
            f"Keep what else it says: {kept}.",
        ),
        lawful_basis=cause.lawful_basis,
        gateway=cause.gateway,
        view_digest=digest(f"trimmed\x1f{held.view_digest}\x1f{trimmed}".encode()),
        categories=left,
        rules=(RULE,),
        clock=CORRECTION_CLOCK,
        stops_on=CORRECTION_STOPS_ON,
        replaces=held.disclosure_id,
        version=held.version + 1,
        root=held.root,
        excluded=held.excluded,
        roles=held.roles,
        cuts=held.cuts - cuts,
        left=held.left & left,
        agreed=held.agreed & left,
        agreed_by=held.agreed_by,
        by_ledger=True,
    )


def tell_anew(held: Sent, said: str, because: tuple[str, ...], version: int) -> Notice:
    """Say what the family was told by now of what a disclosure is about. The disclosure stands, and so does its clock."""
    return replace(
        stop(held, held.event_id),
        event_id=held.event_id,
        kind="CORRECTION",
        because=because,
        view={"told_family": said} if said else {},
        view_digest=digest(f"told\x1f{held.disclosure_id}\x1f{said}".encode()),
        rules=(TOLD_RULE,),
        version=version,
        root=held.root,
    )


def deleted(categories: Iterable[Category]) -> str:
    """Say which parts of an earlier message to delete, where what takes its place says no more than that there is something."""
    return _DELETE.format(parts="; ".join(_parts(categories)))


def _parts(categories: Iterable[Category]) -> tuple[str, ...]:
    wanted = frozenset(categories)
    return tuple(_CATEGORY_PARTS.get(one, category_in_words(one)) for one in SHAREABLE if one in wanted)
