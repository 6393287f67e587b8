"""The closed list of conditions as functions: each answers yes, no, or None when it cannot be known.

INVARIANT: a condition sees `Known` and nothing else: header fields, facts and which parties are named. Monitoring data and
free text are not in it, so they cannot be an input to routing (R29).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from broker.core.model.dates import age_span
from broker.core.model.event import Header
from broker.core.model.facts import Agreement
from broker.core.model.identifiers import Millis
from broker.core.model.known import Known
from broker.core.model.policy import Attribute, Condition, EventKind, FindingKind, Question

Answer = bool | None
_UNBORN = (-1, -1)
ORIGINATOR = "originator"  # the role of whoever published the event in question


Test = Callable[[Known], Answer]
ScopedTest = Callable[[Known, frozenset[str]], Answer]  # the names under which a finding or agreement may mean a recipient


def all_of(answers: Iterable[Answer]) -> Answer:
    """Join with AND: no when any is no, else unknown when any is unknown."""
    unknown = False
    for one in answers:
        if one is False:
            return False
        unknown = unknown or one is None
    return None if unknown else True


def test_of(condition: Condition, kind: EventKind) -> Test:
    """Return the test of a condition that is the same for every recipient."""
    return _MAKERS[condition.about](condition, kind)


def scoped_test_of(condition: Condition, findings: Mapping[str, FindingKind]) -> ScopedTest:
    """Return the test of a finding or an agreement, which may hold for some recipients only."""
    if condition.about is Question.FINDING:
        kinds = {name: findings.get(name) or FindingKind(name=name, says=name) for name in condition.values}
        return lambda known, names: _finding(known, names, kinds)
    return lambda known, names: _agreement(known, names, condition)


def is_scoped(condition: Condition) -> bool:
    """Tell whether a condition can hold for one recipient and not for another."""
    return condition.about in (Question.FINDING, Question.AGREEMENT)


def _attribute(condition: Condition, attribute: Attribute | None) -> Test:
    """What an event type cannot say is not so, whatever its publisher writes there."""
    if attribute is None:
        return lambda _: False
    listed, absent = attribute.values, attribute.absent

    def test(known: Known) -> Answer:
        value = known.header.attributes.get(condition.name, absent)
        return value in condition.values if value in listed else None

    return test


def age_of(known: Known) -> tuple[int, int] | None:
    """Return the least and the greatest age that the child may have had when it happened; below none before birth."""
    header = known.header
    if header.subject_role == "UNBORN" and known.birth_date is None:
        return _UNBORN
    return age_span(known.birth_date, header.occurred_at or datetime.fromtimestamp(header.recorded_at / 1000, UTC).isoformat())


def _age(condition: Condition) -> Test:
    least = -1 if condition.least is None else condition.least
    most = 200 if condition.most is None else condition.most

    def test(known: Known) -> Answer:
        span = age_of(known)
        if span is None:
            return None
        inside = least <= span[0] and span[1] <= most
        return True if inside else False if span[1] < least or span[0] > most else None

    return test


def _finding(known: Known, names: frozenset[str], kinds: Mapping[str, FindingKind]) -> Answer:
    lapsed = False
    for one in known.findings:
        kind = kinds.get(one.kind)
        if kind is None or (kind.made_by and one.by_role not in kind.made_by) or one.since > known.at:
            continue
        if one.by_role == ORIGINATOR and (one.producer, one.concerns) != (known.header.producer, known.header.event_id):
            continue  # who did not say it cannot release it, and what was released is what it said then and nothing after it
        if not (one.recipients & names) and (one.recipients or kind.names_recipients):
            continue
        if not one.lapsed and (one.until is None or one.until > known.at):
            return True
        lapsed = lapsed or kind.on_lapse == "asks"
    return None if lapsed else False


def last_word(
    agreements: Iterable[Agreement], names: frozenset[str], condition: Condition, at: Millis, producer: str
) -> Agreement | None:
    """Return what was last said of the agreement that a condition asks for and that means somebody of these names.

    `producer` is whose information it is about.
    """
    latest: Agreement | None = None
    for one in agreements:
        reaches = (not one.recipients or one.recipients & names) and (not one.categories or one.categories >= condition.covers)
        if one.kind == condition.name and reaches and one.since <= at and _was_theirs_to_hear(one, producer):
            latest = one if latest is None or one.since >= latest.since else latest
    return latest


def _was_theirs_to_hear(word: Agreement, producer: str) -> bool:
    """Tell whether a word counts for what this agency said: to open a confidence, its own sector has to have heard the yes (R13).

    A no counts whoever heard it, and so does an agreement to a service, which is nobody's confidence.
    """
    opens = word.kind == "consent" and word.state == "given"
    return not opens or not word.by or word.by.rpartition(":")[0] == producer.rpartition(":")[0]


def _agreement(known: Known, names: frozenset[str], condition: Condition) -> Answer:
    latest = last_word(known.agreements, names, condition, known.at, known.header.producer)
    if latest is None or (latest.until is not None and latest.until <= known.at):
        return None
    return latest.state in condition.values


def _among(value: str | None, values: frozenset[str]) -> Answer:
    return None if value is None else value in values


def _said(value: str, silence: str, values: frozenset[str]) -> Answer:
    """A publisher that said nothing leaves it unknown, unless the rule names the silence itself."""
    return True if value.lower() in values else None if value == silence else False


def _publisher(header: Header, values: frozenset[str]) -> bool:
    return header.sector.lower() in values or header.producer in values


_Maker = Callable[[Condition, EventKind], Test]
_MAKERS: Mapping[Question, _Maker] = {
    Question.ATTRIBUTE: lambda condition, kind: _attribute(condition, kind.attributes.get(condition.name)),
    Question.AGE: lambda condition, _: _age(condition),
    Question.WISH: lambda condition, _: lambda known: _among(known.wishes.get(condition.name), condition.values),
    Question.AREA: lambda condition, _: lambda known: _among(known.area, condition.values),
    Question.PUBLISHER: lambda condition, _: lambda known: _publisher(known.header, condition.values),
    Question.ACTION: lambda condition, _: lambda known: known.header.action.lower() in condition.values,
    Question.IDENTITY: lambda condition, _: (
        lambda known: ("identified" if known.identified else "unidentified") in condition.values
    ),
    Question.SUBJECT_ROLE: lambda condition, _: lambda known: _said(known.header.subject_role, "UNKNOWN", condition.values),
    Question.ASSERTION: lambda condition, _: lambda known: _said(known.header.assertion, "NOT_SAID", condition.values),
    Question.CONNECTION: lambda condition, _: lambda known: not condition.values.isdisjoint(known.ties),
    Question.STATUS: lambda condition, _: lambda known: not condition.values.isdisjoint(known.held),
    Question.PROTECTION: lambda condition, _: lambda known: not condition.values.isdisjoint(known.protections),
    Question.PARTY: lambda condition, _: lambda known: not condition.values.isdisjoint(known.parties),
}
