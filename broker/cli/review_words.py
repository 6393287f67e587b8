"""A review in plain words: what a person is asked, about what, why, and the commands that answer it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.core.account.tell import code_in_words, value_in_words, who
from broker.core.account.words import Words, born_in_words, instant_in_words, scheme_in_words, until_in_words
from broker.core.model.question import BEHIND_A_CONTROL, BEHIND_A_RECORD, HOLD
from broker.core.waiting.judgements import FINDING_TYPE
from broker.core.waiting.unsafe import TOLD_TYPE


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one kind of review asks, and what answers it: each command with what it means."""

    asks: str
    answers: tuple[tuple[str, str], ...]


PLAIN = (  # what of a review names nobody
    "review_id",
    "kind",
    "state",
    "for_recipient",
    "event_id",
    "event_type",
    "producer",
    "why",
    "opened_at",
    "accepted_at",
    "due_at",
    "clock",
)

_CHILD = ' --child CHILD --reason "…"'
_MEANT = ": CHILD is one of those that it may be, or the `p-…` by which what you were told names the child"
_NUMBER = (
    'broker reviews link {id} --number --reason "…"',
    "it is about a child in your own records: it asks for the NHS number, the UPN or your own number of the child",
)
_LOOK = (
    "broker subscribe {desk} --from beginning --again --until-now",
    "to find the child: all that you were told, each with the `p-…` of its child",
)
_REJECT = 'broker reviews reject {id} --reason "…"'
_SEEN_TO = (
    "you have seen to it; else it closes by itself when within 7 days a record says who fills the role, or a release of the "
    "registers does and anything more comes about the child"
)
KINDS = {
    "UNIDENTIFIED": _Kind(
        "Which child is this? Nobody who is known matches",
        (
            _LOOK,
            ("broker reviews link {id}" + _CHILD, "it is about this child" + _MEANT),
            _NUMBER,
            (_REJECT, "it is about nobody the broker knows"),
        ),
    ),
    "AMBIGUOUS": _Kind(
        "Which child is this? One or more may match",
        (
            _LOOK,
            ("broker reviews link {id}" + _CHILD, "it is about this child" + _MEANT),
            _NUMBER,
            (_REJECT, "it is about none of them"),
        ),
    ),
    "IDENTIFIER_CONFLICT": _Kind(
        "One child or two? A number is held under two birth dates",
        (("broker reviews link {id}" + _CHILD, "they are one child" + _MEANT), (_REJECT, "they are two children")),
    ),
    "ASK": _Kind(
        "May this be shared?",
        (('broker reviews link {id} --reason "…"', "share it"), (_REJECT, "do not share it")),
    ),
    "HOLD": _Kind(
        "Held: another review holds up this child",
        (
            ("broker reviews list", "answer the one that holds it first"),
            ('broker reviews link {id} --reason "…"', "or let this one alone go on"),
        ),
    ),
    "GAP": _Kind(
        "Nobody in a role was told: nobody fills it, or nobody there may hear",
        ((_REJECT, _SEEN_TO),),
    ),
}
_ALIKE = "Which child is this? Nobody matches fully; it may be somebody who is known"
_FINDING = _Kind(
    "Does this finding still hold? Its review date has passed",
    (
        ('broker reviews link {id} --reason "…"', "it holds for as long again"),
        (_REJECT, "it holds no more: what it kept back may go from now on"),
    ),
)
_UNSAFE = _Kind(
    "Is it still not safe to tell the family?",
    (
        ('broker reviews link {id} --reason "…"', "it is still not safe: it is asked again after as long"),
        (_REJECT, "the family may be told now, and everybody who was told hears that"),
    ),
)
_DOUBT = _Kind(
    "Does this count? Somebody has to look first at what its publisher says",
    (
        ('broker reviews link {id} --reason "…"', "it counts, as its publisher says it"),
        (_REJECT, "it does not count; either way, what waits for this goes on"),
    ),
)
_BEHIND = frozenset({BEHIND_A_CONTROL, BEHIND_A_RECORD})
_MERGE_TYPE = "identity.merged"
_MERGE = _Kind(
    "Are two records of one child? The source says so; which child is it?",
    (
        _LOOK,
        (
            "broker reviews link {id}" + _CHILD,
            "they are of this child, and what is known under the number that ends (`control`) is joined to it" + _MEANT,
        ),
        (_REJECT, "they are not, or it is nobody known: nothing is joined"),
    ),
)
_BY_NOBODY = "by whom is shown once it is known which child it is about"
_BY_A_GUARDED = "by whom the review itself says, to who was asked: the child is protected"
_FOR_MACHINES = frozenset({"event_id", "event_type", "producer", "sector", "sequence", "source", "purpose"})  # of the header
_CODES = frozenset({"action", "subject role", "assertion", "told family", "names kind"})
_LATEST = 3  # of what was told of a child it may be
_STATES = {"OPEN": "open", "RESOLVED": "decided", "WITHDRAWN": "no longer needed"}


def question(review: Mapping[str, Any]) -> str:
    """Return what a person is asked."""
    kind = _kind(review)
    return _ALIKE if kind is KINDS["UNIDENTIFIED"] and review["candidates"] else kind.asks


def _kind(review: Mapping[str, Any]) -> _Kind:
    """Return what a review asks. Nobody is ever told of a finding: a question about one is whether it holds."""
    if review["kind"] in {"UNIDENTIFIED", "AMBIGUOUS"} and review["event_type"] == _MERGE_TYPE:
        return _MERGE
    if (review["kind"], review["event_type"]) == ("ASK", TOLD_TYPE):
        return _UNSAFE
    if review["kind"] == HOLD and review["why"] not in _BEHIND:
        return _DOUBT
    return _FINDING if (review["kind"], review["event_type"]) == ("ASK", FINDING_TYPE) else KINDS[review["kind"]]


def told(review: Mapping[str, Any], words: Words) -> Iterator[tuple[str, str]]:
    """Yield the lines of a review, each with its label; nothing personal is among them."""
    yield "review", review["review_id"]
    by = (
        f"said by {words.name(review['producer'])}"
        if review["producer"]
        else (_BY_A_GUARDED if review["child_ref"] else _BY_NOBODY)
    )
    yield "about", f"{words.event(review['event_type'])}, {by}"
    yield "why", words.spelt_out(review["why"])
    yield "for", words.name(review["for_recipient"])
    if review["due_at"] and review["state"] == "OPEN":
        yield "by", f"{until_in_words(review['due_at'])} ({review['clock'].replace('_', ' ')})"
    candidates = review["candidates"]
    if candidates:
        yield "may be", ", ".join(candidates)


def more(review: Mapping[str, Any], words: Words) -> Iterator[tuple[str, str]]:
    """Yield what only somebody who looks at this one review wants to know."""
    yield "event", f"{review['event_id']} ({review['event_type']})"
    yield "since", instant_in_words(review["opened_at"])
    yield "state", _STATES.get(review["state"], review["state"].lower())
    resolution = review["resolution"]
    if resolution:
        yield "decided", f"{resolution['decision'].lower()} by {words.name(resolution['by'])}: {resolution['reason']}"


def may_be(disclosures: Sequence[Mapping[str, Any]], words: Words) -> Iterator[tuple[str, str]]:
    """Yield who a child is as far as a desk was told, and by what, the latest of it; `disclosures` are what it may still use."""
    named = next((one for one in disclosures if one["identity"]), None)
    if not disclosures:
        yield "told", "you were told nothing of this child that you may still use: look in your own records, or ask who said this"
        return
    yield "child", who(named or disclosures[0])
    for one in disclosures[:_LATEST]:
        yield "told", f"{words.event(one['event_type'])}, {instant_in_words(one['issued_at'])} ({one['disclosure_id']})"
    if len(disclosures) > _LATEST:
        yield "", f"and {len(disclosures) - _LATEST} more before"


def source_said(event: Mapping[str, Any], words: Words) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    """Yield each group of an event with its values; what only a machine needs, and what `told` says, is left to --json."""
    for name, group_of in event.items():
        shown = {key: value for key, value in group_of.items() if key not in _FOR_MACHINES} if name == "header" else group_of
        yield name.replace("_", " "), _flat(shown, words)


def _flat(group_of: Any, words: Words, name: str = "", key: str = "") -> Iterator[tuple[str, str]]:
    """Yield what stands in a group, each value under its own name; what is empty is left out."""
    if isinstance(group_of, Mapping):
        for inner, value in group_of.items():
            yield from _flat(value, words, f"{name} {inner}".strip().replace("_", " "), inner)
    elif isinstance(group_of, list):
        for value in group_of:
            if key in _WHOLE:
                yield _WHOLE[key](value, words)
            else:
                yield from _flat(value, words, name, key)
    elif group_of not in (None, ""):
        yield name, value_in_words(key, group_of, words) or _value(name, group_of)


_WHOLE: Mapping[str, Callable[[Mapping[str, Any], Words], tuple[str, str]]] = {  # what is one thing although it has parts
    "codes": lambda one, words: ("code", code_in_words(one, words)),
    "identifiers": lambda one, _: ("number", f"{scheme_in_words(one['scheme'])} {one['value']}"),
}


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith(" at") and isinstance(value, int):
        return instant_in_words(value)
    if name == "birth date":
        return born_in_words(str(value))
    return str(value).lower().replace("_", " ") if name in _CODES else str(value)


def answers(review: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the commands that answer a review, each with what it means."""
    for command, means in _kind(review).answers:
        yield command.format(id=review["review_id"], desk=review["for_recipient"] or "DESK"), means
