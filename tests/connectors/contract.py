"""What every connector has to keep, whatever its format.

A test module makes a `Case` and runs each of `CHECKS` on it:

    @pytest.mark.parametrize("check", contract.CHECKS, ids=contract.name_of)
    def test_it_keeps_the_contract(check: contract.Check) -> None:
        check(CASE)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.codec import decode_event, encode_event
from broker.core.intake.delivery import Connector, Delivery, Finding, piece_from_bytes
from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, Millis
from broker.core.model.registers import Agency
from broker.errors import DeliveryError, TooLargeError

RECEIVED = Millis(1_790_000_000_000)  # 2026-09-21T13:33:20Z


class MemoryInHand:
    """A memory that lasts as long as the test."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.kept[key] = value

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)

    def items(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        for key in sorted(name for name in self.kept if name.startswith(prefix)):
            if key in self.kept:
                yield key, self.kept[key]


@dataclass(frozen=True)
class Case:
    """A connector with a delivery that gives events.

    `damaged`: the same delivery with one bad record among the good ones, and how many events are left. `private`: personal
    data in the delivery, which no finding and no error may repeat.
    """

    connector: Connector
    files: dict[str, bytes]
    damaged: dict[str, bytes]
    left: int
    private: tuple[str, ...]

    def agency(self) -> Agency:
        schools = {"urn:100001": frozenset({"native:SCH1"})}
        return Agency(
            id=AgencyId("E10000099"), name="An agency", sector=self.connector.sector, area="E10000099", speaks_for=schools
        )

    def delivery(self, files: dict[str, bytes] | None = None) -> Delivery:
        pieces = tuple(piece_from_bytes(name, content) for name, content in (files or self.files).items())
        return Delivery(self.agency(), RECEIVED, pieces)

    def read(
        self, files: dict[str, bytes] | None = None, memory: MemoryInHand | None = None
    ) -> tuple[list[Event], list[Finding]]:
        yielded = list(self.connector.read(self.delivery(files), memory or MemoryInHand()))
        return [one for one in yielded if isinstance(one, Event)], [one for one in yielded if isinstance(one, Finding)]


Check = Callable[[Case], None]


def it_claims_its_own_files(case: Case) -> None:
    assert case.connector.claims(tuple(case.files))
    assert not case.connector.claims(("holiday.jpg",))


def it_yields_one_after_the_other(case: Case) -> None:
    read = case.connector.read(case.delivery(), MemoryInHand())

    assert iter(read) is read


def events_fit_the_schema(case: Case) -> None:
    events, _ = case.read()

    assert events
    for event in events:
        assert decode_event(encode_event(event)).header == replace(event.header, excluded=tuple(event.header.excluded))


def headers_say_where_they_come_from(case: Case) -> None:
    digests = {piece.digest for piece in case.delivery().pieces}

    for event in case.read()[0]:
        header = event.header
        assert (header.producer, header.sector) == (case.agency().id, case.connector.sector)
        assert header.recorded_at <= RECEIVED
        assert header.received_at == RECEIVED
        assert header.source.native_digest in digests
        assert header.source.format
        assert header.source.location


def ids_are_unique(case: Case) -> None:
    ids = [event.header.event_id for event in case.read()[0]]

    assert len(ids) == len(set(ids))


def a_replay_gives_equal_events(case: Case) -> None:
    assert case.read() == case.read()


def the_same_delivery_again_gives_no_new_events(case: Case) -> None:
    memory = MemoryInHand()
    first = {event.header.event_id for event in case.read(memory=memory)[0]}
    second = {event.header.event_id for event in case.read(memory=memory)[0]}

    assert second <= first


def what_the_broker_refuses_is_said_by_the_next_delivery(case: Case) -> None:
    """What is remembered as told and never was would be said by nobody again."""
    for refused in {event.header.event_type for event in case.read()[0]}:
        memory = MemoryInHand()
        delivery = replace(case.delivery(), takes=partial(_is_other, refused))
        first = [one for one in case.connector.read(delivery, memory) if isinstance(one, Event)]
        lost = {event.header.event_id for event in first if event.header.event_type == refused}

        again = {event.header.event_id for event in case.read(memory=memory)[0]}

        assert lost
        assert lost <= again


def _is_other(event_type: str, event: Event) -> bool:
    return event.header.event_type != event_type


def one_bad_record_does_not_stop_the_others(case: Case) -> None:
    events, findings = case.read(case.damaged)

    assert len(events) == case.left
    assert [one for one in findings if one.severity in {"error", "warning"}]


def findings_hold_no_personal_data(case: Case) -> None:
    """I9 quiet-logs."""
    for files in (case.files, case.damaged):
        for finding in case.read(files)[1]:
            said = f"{finding.place} {finding.message} {finding.remedy} {finding.rule}"
            assert not [word for word in case.private if word.lower() in said.lower()]
            assert finding.place
            assert finding.remedy


def a_delivery_that_breaks_off_is_taken_in_part_or_refused_in_words(case: Case) -> None:
    for name, content in case.files.items():
        for part in range(1, 20):
            _expect_words(case, {**case.files, name: content[: len(content) * part // 20]})


def what_is_no_text_is_refused(case: Case) -> None:
    for content in (
        b"",
        b"\n \r\n",
        b"PK\x03\x04\x14\x00rest of a zip",
        b"\x1f\x8b\x08\x00",
        b"%PDF-1.7\n",
        bytes(range(256)) * 20,
    ):
        with pytest.raises((DeliveryError, TooLargeError), match=r"\w+ \w+"):
            case.read(dict.fromkeys(case.files, content))


def junk_never_raises_anything_else(case: Case) -> None:
    name, content = next(iter(case.files.items()))

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(st.binary(max_size=200), _spoiled(content)))
    def check(junk: bytes) -> None:
        _expect_words(case, {**case.files, name: junk})

    check()


def _spoiled(content: bytes) -> st.SearchStrategy[bytes]:
    """The good file with a stretch of it replaced."""
    return st.builds(
        lambda at, length, junk: content[:at] + junk + content[at + length :],
        st.integers(0, len(content)),
        st.integers(0, 40),
        st.one_of(
            st.binary(max_size=20),
            st.text(max_size=10).map(lambda text: text.encode()),
            st.sampled_from([b'"', b"|", b"<", b":"]),
        ),
    )


def _expect_words(case: Case, files: dict[str, bytes]) -> None:
    """Read something that may be spoiled: whatever comes out fits, and whatever is raised is ours and says nothing private."""
    refused = ""
    events: list[Event] = []
    findings: list[Finding] = []
    try:
        events, findings = case.read(files)
    except (DeliveryError, TooLargeError) as error:
        refused = str(error) or "nothing was said"
    assert refused != "nothing was said"
    assert not [word for word in case.private if word in refused]
    for event in events:
        encode_event(event)
    assert all(finding.message and finding.place for finding in findings)


CHECKS: tuple[Any, ...] = (
    it_claims_its_own_files,
    it_yields_one_after_the_other,
    events_fit_the_schema,
    headers_say_where_they_come_from,
    ids_are_unique,
    a_replay_gives_equal_events,
    the_same_delivery_again_gives_no_new_events,
    what_the_broker_refuses_is_said_by_the_next_delivery,
    one_bad_record_does_not_stop_the_others,
    findings_hold_no_personal_data,
    a_delivery_that_breaks_off_is_taken_in_part_or_refused_in_words,
    what_is_no_text_is_refused,
    pytest.param(junk_never_raises_anything_else, marks=pytest.mark.search),
)


def name_of(check: Check) -> str:
    """Name a check in a list of tests."""
    return check.__name__.replace("_", " ")
