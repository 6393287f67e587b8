"""Log entries: known names, known keys, nothing of a person, and libraries without their text (I9 quiet-logs)."""

import io
import logging

import pytest
import structlog

from broker.log import ALLOWED, Entry, configure_log, log


@pytest.fixture
def written(log_put_back: None) -> io.StringIO:
    stream = io.StringIO()
    configure_log(stream)
    return stream


def test_an_entry_carries_its_name_and_its_keys(written: io.StringIO) -> None:
    log(Entry.PARTITIONS_TAKEN, count=4)

    assert "event=partitions_taken" in written.getvalue()
    assert "count=4" in written.getvalue()


def test_a_key_that_is_not_on_the_list_is_removed(written: io.StringIO) -> None:
    log(Entry.PARTITIONS_TAKEN, count=4, surname="Smith", nhs_number="9434765919")

    assert "Smith" not in written.getvalue()
    assert "9434765919" not in written.getvalue()
    assert "surname" not in written.getvalue()


def test_a_name_that_is_not_in_the_enumeration_is_not_written(written: io.StringIO) -> None:
    structlog.get_logger().info("child Smith was seen", count=1)

    assert "Smith" not in written.getvalue()
    assert "event=unnamed_entry" in written.getvalue()


def test_what_a_library_says_is_passed_on_without_its_text_and_not_again_and_again(written: io.StringIO) -> None:
    for _ in range(50):
        logging.getLogger("some.library").error("could not send %s", b"a child's record")
    logging.getLogger("some.library").warning("not worth it")

    lines = written.getvalue().splitlines()
    assert len(lines) == 1
    assert "logger=some.library" in lines[0]
    assert "child" not in lines[0]


@pytest.mark.parametrize("entry", Entry)
def test_every_entry_says_what_it_means_and_what_to_do(entry: Entry) -> None:
    assert entry.meaning.endswith(".")
    assert entry.remedy.endswith(".")
    assert entry.value == entry.name.lower()


def test_no_key_on_the_list_could_hold_who_it_is_about() -> None:
    assert not ALLOWED & {
        "name",
        "child",
        "child_ref",
        "key",
        "value",
        "nhs_number",
        "upn",
        "postcode",
        "address",
        "message",
        "text",
    }
