"""Go on through times when Kafka is away: say so in words, wait, and try again."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import click

from broker.errors import RetryError

_SHORTEST_WAIT = 1.0
_LONGEST_WAIT = 10.0  # seconds: an alert waits no longer than this once Kafka is back
_STEADY_SECONDS = 60.0


async def patiently(attempt: Callable[[], Awaitable[None]]) -> None:
    """Do something to its end; while the far side is unwell, say so and try again, each time after a longer wait."""
    wait = _SHORTEST_WAIT
    while True:
        began = time.monotonic()
        try:
            return await attempt()
        except RetryError as error:
            wait = _SHORTEST_WAIT if time.monotonic() - began > _STEADY_SECONDS else wait
            click.echo(f"broker: {error}: trying again in {wait:.0f} s", err=True)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)


def say_skipped(words: str) -> None:
    """Say on standard error what could not be read any more."""
    click.echo(f"broker: {words}", err=True)
