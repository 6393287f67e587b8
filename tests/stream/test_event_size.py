"""What an event may be at most: its body is large where it must be, and what is kept with the child stays small."""

import dataclasses

import pytest

from broker.codec import encode_event
from broker.core.model.event import Body
from broker.errors import TooLargeError
from broker.stream.event_size import MAX_HEAD_BYTES, check_head
from broker.stream.publish import check_size
from tests.stream.lines import an_event


def test_a_long_account_is_taken_and_a_long_reason_is_not() -> None:
    long = "x" * (2 * MAX_HEAD_BYTES)
    account = an_event(body=Body(narrative={"text": long, "checked": False}))
    header = dataclasses.replace(account.header, told_family_reason=long)
    reason = dataclasses.replace(account, header=header)

    assert check_size(account) == encode_event(account)
    with pytest.raises(TooLargeError, match="besides its body") as found:
        check_size(reason)
    assert "xx" not in str(found.value)


def test_what_is_small_as_a_whole_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    event = an_event()
    size = len(encode_event(event))
    monkeypatch.setattr("broker.stream.event_size.encode_event", lambda _: pytest.fail("encoded again"))

    check_head(event, size)


def test_of_one_child_no_more_numbers_are_taken_than_tell_who_it_is() -> None:
    """Each is looked for among all children of its day: sixteen thousand in one event would keep its partition for seconds."""
    numbers = [{"scheme": "mrn", "value": str(one), "issuer": "ods:A1"} for one in range(101)]
    few, many = (an_event(body=Body(identity={"identifiers": some})) for some in (numbers[:100], numbers))

    assert check_size(few) == encode_event(few)
    for event in (many, an_event(control={"kind": "merge", "identifiers": numbers})):
        with pytest.raises(TooLargeError, match="more than 100 identifiers"):
            check_size(event)


def test_an_event_excludes_no_more_than_can_have_a_conflict() -> None:
    """A few events that named four hundred each kept a child's line busy for minutes, and then too large for any alert."""
    check_size(an_event(excluded=tuple(f"r{one}" for one in range(50))))
    with pytest.raises(TooLargeError, match="excludes more than 50"):
        check_size(an_event(excluded=tuple(f"r{one}" for one in range(51))))
