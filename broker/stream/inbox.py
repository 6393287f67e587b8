"""What one recipient has been shown on this machine, so that nothing is shown twice and every receipt finds its token.

It holds ids, tokens and how far each is, never what was disclosed.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from broker.errors import NotFoundError

NOTICES = "connect"  # under the settings' `data`: what `broker connect` writes as files, apart from what people follow
_TABLES = """
CREATE TABLE IF NOT EXISTS shown (
    id TEXT PRIMARY KEY, token BLOB NOT NULL, event_type TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS read (topic TEXT, partition INTEGER, next_offset INTEGER, PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS log (topic TEXT PRIMARY KEY, id TEXT NOT NULL);
"""
ASKED = "asked"  # the state of a question, to which nothing is said back from here
_SHORTEST = 6  # of an id that a person types


@dataclass(frozen=True, slots=True)
class Shown:
    """One disclosure that was shown; `state` is the furthest receipt sent, or `shown`."""

    id: str
    token: bytes
    event_type: str
    kind: str
    state: str = "shown"


class Inbox:
    """One recipient's memory of what it was shown."""

    def __init__(self, folder: Path, recipient: str) -> None:
        """Open or make it in a folder of local state; no two recipients share a file, as no two holders share a key's."""
        file = folder / "inbox" / f"{recipient.replace('_', '%5F').replace(':', '_')}.sqlite"
        file.parent.mkdir(parents=True, exist_ok=True)
        self.recipient, self.file = recipient, file
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_TABLES}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def was_shown(self, disclosure_id: str) -> bool:
        """Tell whether a disclosure was shown before."""
        return self._database.execute("SELECT 1 FROM shown WHERE id = ?", (disclosure_id,)).fetchone() is not None

    def show(self, one: Shown) -> None:
        """Remember that a disclosure was shown; call it after the person could see it."""
        row = (one.id, one.token, one.event_type, one.kind, one.state)
        self._database.execute("INSERT OR IGNORE INTO shown VALUES (?, ?, ?, ?, ?)", row)

    def forget_question(self, review_id: str) -> None:
        """Forget that a question was shown: asked once more, it is shown once more."""
        self._database.execute("DELETE FROM shown WHERE id = ? AND state = ?", (review_id, ASKED))

    def mark(self, disclosure_ids: Iterable[str], state: str) -> None:
        """Remember which receipt was sent for some disclosures."""
        self._database.executemany("UPDATE shown SET state = ? WHERE id = ?", [(state, one) for one in disclosure_ids])

    def unconfirmed(self) -> list[Shown]:
        """Return what was shown and whose delivered receipt was not sent."""
        rows = self._database.execute("SELECT id, token, event_type, kind, state FROM shown WHERE state = 'shown' ORDER BY id")
        return [Shown(*row) for row in rows]

    def find(self, start: str) -> Shown:
        """Return the disclosure whose id is, or alone begins with, what a person typed; raises NotFoundError."""
        rows = self._database.execute(
            "SELECT id, token, event_type, kind, state FROM shown WHERE substr(id, 1, ?) = ? AND state <> ? LIMIT 2",
            (len(start), start, ASKED),
        ).fetchall()
        if rows and len(start) < _SHORTEST:
            raise NotFoundError(f"disclosure `{start}`: too short to be meant: type {_SHORTEST} letters of its id at least")
        if not rows:
            raise NotFoundError(
                f"disclosure `{start}`: none like it was shown to `{self.recipient}` on this machine: "
                f"see `broker subscribe {self.recipient}`"
            )
        if len(rows) > 1 and rows[0][0] != start:
            raise NotFoundError(f"disclosure `{start}`: more than one begins so: type more of it")
        return Shown(*rows[0])

    def next_offset(self, topic: str, partition: int) -> int | None:
        """Return where reading goes on; None where nothing was read yet."""
        row = self._database.execute(
            "SELECT next_offset FROM read WHERE topic = ? AND partition = ?", (topic, partition)
        ).fetchone()
        return int(row[0]) if row else None

    def read_up_to(self, places: Iterable[tuple[str, int, int]]) -> None:
        """Remember where reading goes on: topic, partition and next offset."""
        self._database.executemany("INSERT OR REPLACE INTO read VALUES (?, ?, ?)", places)

    def log(self) -> tuple[str, str] | None:
        """Return the topic that is followed, and Kafka's id of it: one that was made anew has another. None before any was."""
        row = self._database.execute("SELECT topic, id FROM log").fetchone()
        return (str(row[0]), str(row[1])) if row else None

    def follow(self, topic: str, topic_id: str) -> None:
        """Remember which topic is followed."""
        if self.log() != (topic, topic_id):
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM log")
            self._database.execute("INSERT INTO log VALUES (?, ?)", (topic, topic_id))
            self._database.execute("COMMIT")

    def begin_anew(self) -> None:
        """Forget how far reading has come, and of which topic; what was shown stays known."""
        self._database.executescript("BEGIN; DELETE FROM log; DELETE FROM read; COMMIT")
