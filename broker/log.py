"""Log entries: names from one enumeration, keys from one list, and nothing else, so that no personal data can leak.

A log is for operators. What was decided about whom stands in the audit topic and nowhere else.
"""

import logging
import sys
import time
from collections.abc import MutableMapping
from enum import StrEnum
from typing import Any, Self, TextIO

import structlog


class Entry(StrEnum):
    """Every log entry there is; `meaning` says what happened and `remedy` what to do."""

    meaning: str
    remedy: str

    def __new__(cls, name: str, meaning: str, remedy: str) -> Self:
        """Make an entry of its name, its meaning and its remedy."""
        entry = str.__new__(cls, name)
        entry._value_ = name
        entry.meaning = meaning
        entry.remedy = remedy
        return entry

    WORKER_STARTED = "worker_started", "A worker runs and has asked Kafka for its share of the partitions.", "Nothing."
    WORKER_STOPPED = "worker_stopped", "A worker left; others take its partitions over.", "Nothing, if it was meant to."
    WORKER_RESTARTED = (
        "worker_restarted",
        "A worker could not go on, dropped what it had in hand uncommitted, and begins again from what is committed.",
        "Nothing is lost. If it happens again and again, read the reason: Kafka, its disk or the network is unwell.",
    )
    KEEPER_WAITED = (
        "keeper_waited",
        "What keeps the audit index, the reconciler's books and the metrics begins again. Events go on meanwhile.",
        "Read the reason: Kafka, or the folder of local state. `broker doctor` looks at both.",
    )
    RECORD_TRIED_AGAIN = (
        "record_tried_again",
        "A stage failed at a record in a way that nobody foresaw; the partition's state is read anew and the record taken again.",
        "Nothing yet: when it fails a second time it is set aside.",
    )
    RECORD_SET_ASIDE = (
        "record_set_aside",
        "A stage failed at a record in a way that nobody foresaw; the record goes to the dead letters, the line goes on.",
        "Report the fault with its reason. After it is mended: `broker dead-letters redrive`.",
    )
    RELEASE_REFUSED = (
        "release_refused",
        "Somebody who is no administrator wrote to the topic of the policy or the registers. What was in force stays.",
        "See who can write there (`broker topics access`). If it was meant, release it again with an administrator's key.",
    )
    RECORDS_REFUSED = (
        "records_refused",
        "Many records in a row became dead letters; one sender, or nobody who proved it, sent them, and the line goes on.",
        "See whose they are with `broker dead-letters list` and ask them; redrive what is theirs once it is mended.",
    )
    WORKER_FAILED = (
        "worker_failed",
        "A worker stopped because going on would be wrong. Nothing after the last commit counts.",
        "Read the reason, mend it, start the worker again: it goes on from the last commit.",
    )
    KAFKA_WAITED_FOR = (
        "kafka_waited_for",
        "Kafka does not answer, or has no topics yet; the worker waits and tries again.",
        "Read the reason: start Kafka, mend `kafka`, or run `broker topics apply`.",
    )
    KAFKA_LIMITED = (
        "kafka_limited",
        "This Kafka takes no idempotent producer: a record that is sent again may stand twice. Readers drop the second.",
        "Nothing on a machine for looking around; use Apache Kafka for real records.",
    )
    PARTITIONS_TAKEN = "partitions_taken", "The worker was given these partitions.", "Nothing."
    PARTITIONS_LEFT = "partitions_left", "The worker gave partitions back, with what it had in hand done or dropped.", "Nothing."
    STATE_LOADING = "state_loading", "State of a partition is being read before its first record is taken.", "Wait."
    STATE_REPAIRED = (
        "state_repaired",
        "A worker that was thought dead had written old state late; the newer state was written again.",
        "Nothing is lost. If it happens often, workers are paused longer than their session: give them more CPU or memory.",
    )
    LIBRARY_SPOKE = (
        "library_spoke",
        "A library below us had something to say; its text is kept out.",
        "Look at `logger` and `kind`.",
    )


# Keys that a log entry may carry. None of them can hold a name, a number of a person, an address or free text of a case.
ALLOWED = frozenset(
    {
        "agency", "attempt", "cluster", "count", "done", "error", "group", "kafka", "kind", "level", "lag_s", "logger", "of",
        "offset", "partition", "partitions", "reason", "recipient", "remedy", "seconds", "stage", "stages", "timestamp", "topic",
        "topics", "version", "worker",
    }
)  # fmt: skip


def log(entry: Entry, **keys: Any) -> None:
    """Write one log entry; keys that are not on the list are removed."""
    logger = structlog.get_logger()
    if entry in (
        Entry.WORKER_FAILED,
        Entry.RECORD_SET_ASIDE,
        Entry.RECORD_TRIED_AGAIN,
        Entry.RECORDS_REFUSED,
        Entry.RELEASE_REFUSED,
        Entry.WORKER_RESTARTED,
        Entry.KAFKA_WAITED_FOR,
        Entry.KAFKA_LIMITED,
        Entry.KEEPER_WAITED,
        Entry.STATE_REPAIRED,
    ):
        logger.warning(entry.value, remedy=entry.remedy, **keys)
    else:
        logger.info(entry.value, **keys)


def configure_log(stream: TextIO | None = None, *, json: bool = False) -> None:
    """Set logging up, once, at the start of a program: our entries to standard error, and those of libraries without text.

    Faust sends standard output to its own log when its worker command runs; ours never runs, so output stays output.
    """
    out = stream or sys.stderr
    renderer: Any = structlog.processors.JSONRenderer() if json else structlog.processors.LogfmtRenderer(bool_as_flag=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_allowed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Quiet()]
    root.setLevel(logging.ERROR)


def _only_allowed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remove every key that is not on the list, and every entry name that is not in the enumeration."""
    name = event.get("event")
    kept = {key: value for key, value in event.items() if key in ALLOWED}
    return {"event": name if name in _NAMES else "unnamed_entry", **kept}


_SILENCE_SECONDS = 60.0
_NAMES = frozenset(entry.value for entry in Entry)


class _Quiet(logging.Handler):
    """Pass on that a library had an error, and where, but never its text: it could quote a record.

    Once a minute at most for each of its parts: a Kafka that is away would fill the log otherwise.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write one entry for a library's error."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else record.levelname.lower()
        now = time.monotonic()
        if now - self._said.get((record.name, kind), -_SILENCE_SECONDS) >= _SILENCE_SECONDS:
            self._said[record.name, kind] = now
            log(Entry.LIBRARY_SPOKE, logger=record.name, kind=kind)


__all__ = ["ALLOWED", "Entry", "configure_log", "log"]
