"""A worker with another master key knows no child: it must not work, and say so, before it has taken anything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from broker import bootstrap
from broker.core.model.ports import Record
from broker.errors import KeysError
from broker.sealing.secrets import Secrets
from broker.stream.topics import IDENTITIES
from broker.stream.watching import master_key
from broker.stream.watching.master_key import check_master

HERE, THERE = Secrets.from_master(b"h" * 32), Secrets.from_master(b"t" * 32)
DAYS = [f"201{year}-0{month}-13" for year in range(5) for month in range(1, 10)]


def known_under(secrets: Secrets, days: list[str]) -> list[bytes]:
    """Keys of identities: of children of some birth dates, their parts, an identifier's owner and an event's trail."""
    born = [secrets.matching_key(day).encode() for day in days]
    return [
        secrets.identifier_hash("upn", "x").encode(),
        *born,
        *(key + b"/c1" for key in born),
        *(key + b"#lanes" for key in born),
    ]


def log_of(monkeypatch: pytest.MonkeyPatch, keys: list[bytes]) -> None:
    class Log:
        async def starts(self, _: Any) -> dict[str, int]:
            return {}

        ends = starts

        async def between(self, *_: Any) -> AsyncIterator[list[Record]]:
            for some in (keys[:1], keys[1:]):
                yield [Record(IDENTITIES, 0, at, 0, key, b"", ()) for at, key in enumerate(some)]

    @asynccontextmanager
    async def opened(_: Any) -> AsyncIterator[Log]:
        yield Log()

    async def places(*_: Any) -> list[str]:
        return []

    monkeypatch.setattr(master_key, "open_log", opened)
    monkeypatch.setattr(master_key, "places_of", places)


@pytest.mark.parametrize(
    ("why", "keys", "fits"),
    [
        ("nobody is known yet", [], True),
        ("only identifiers are", known_under(THERE, []), True),
        ("all are known under this key", known_under(HERE, DAYS), True),
        ("a worker with another key wrote some", known_under(HERE, DAYS) + known_under(THERE, DAYS[:9]), True),
        ("all are known under another", known_under(THERE, DAYS), False),
        ("this worker has written some before", known_under(THERE, DAYS) + known_under(HERE, DAYS[:9]), False),
    ],
)
async def test_a_master_key_fits_when_children_are_known_under_it(
    monkeypatch: pytest.MonkeyPatch, why: str, keys: list[bytes], fits: bool
) -> None:
    log_of(monkeypatch, keys)

    if fits:
        await check_master("kafka", HERE)  # type: ignore[arg-type]  # nobody is asked
        return
    with pytest.raises(KeysError, match=r"not the one .* copy `broker.keys`"):
        await check_master("kafka", HERE)  # type: ignore[arg-type]  # nobody is asked


async def test_a_worker_with_another_master_key_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(monkeypatch, known_under(THERE, DAYS))
    opened: list[Any] = []
    monkeypatch.setattr(bootstrap, "open_consumer", opened.append)
    settings: Any = type("Place", (), {"kafka": "kafka"})

    with pytest.raises(KeysError):
        async with bootstrap._releases(settings, HERE, bootstrap.make_book()):
            pass

    assert opened == []
