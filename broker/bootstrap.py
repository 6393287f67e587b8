"""Choose implementations: the one place where settings become secrets, releases, stages and a running worker."""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

from broker.core.model.ports import Stage
from broker.errors import InputError, RetryError
from broker.lag.endpoint import serve
from broker.log import Entry, log
from broker.policyfile import policy_from_content
from broker.sealing.secrets import Secrets
from broker.settings import Settings
from broker.stream.clients import open_consumer
from broker.stream.decide.stage import Decide
from broker.stream.deliver import Deliver
from broker.stream.engine.app import Extras, run_worker
from broker.stream.engine.line import Hold
from broker.stream.identify.stage import Identify
from broker.stream.intake import Intake
from broker.stream.releases.book import ReleaseBook
from broker.stream.releases.follow import Releases
from broker.stream.topics import declared, recipient_topics
from broker.stream.watching.keeper import Keeper
from broker.stream.watching.master_key import check_master

STAGES = ("intake", "identify", "decide", "deliver")


def make_book() -> ReleaseBook:
    """Return an empty book of releases that reads policies as they are signed here."""
    return ReleaseBook(policy_from_content)


def make_stages(secrets: Secrets, book: ReleaseBook, names: Sequence[str] = STAGES) -> tuple[Stage, ...]:
    """Return the stages of these names, in the order in which an event meets them; raises InputError."""
    unknown = [name for name in names if name not in STAGES]
    if unknown or not names:
        raise InputError(f"stage `{', '.join(unknown)}` is not known: the stages are {', '.join(STAGES)}")
    made: dict[str, Stage] = {
        "intake": Intake(secrets, book),
        "identify": Identify(secrets, book),
        "decide": Decide(secrets, book),
        "deliver": Deliver(secrets, book),
    }
    return tuple(made[name] for name in STAGES if name in names)


def run(settings: Settings, names: Sequence[str] = STAGES, *, keep: bool = True) -> None:
    """Run a worker until it is told to leave; raises StopError when going on would be wrong.

    With `keep` it keeps the audit index, and serves metrics and health when the settings name a port.
    """
    book, secrets = make_book(), Secrets.load(settings.keys)
    stages = make_stages(secrets, book, names)
    extras = Extras(beside=lambda: _releases(settings, secrets, book), outputs=lambda: _outputs(settings, book))
    with _keeping(settings) if keep else ExitStack():
        run_worker(stages, settings, extras)


@asynccontextmanager
async def _releases(settings: Settings, secrets: Secrets, book: ReleaseBook) -> AsyncIterator[Hold | None]:
    """Follow the releases while a worker runs; every chunk waits for those that it puts in force. Raises KeysError."""
    await check_master(settings.kafka, secrets)
    async with AsyncExitStack() as stack:
        consumer = await stack.enter_async_context(open_consumer(settings.kafka))
        releases = Releases(settings.kafka, consumer, book, lambda why: log(Entry.RELEASE_REFUSED, reason=why))
        await releases.start()
        stack.push_async_callback(releases.stop)
        yield releases.hold


def _outputs(settings: Settings, book: ReleaseBook) -> Collection[str]:
    """Return every topic that a stage may write to, as far as the registers are known."""
    try:
        recipients = recipient_topics(book.newest())
    except RetryError:
        recipients = ()
    return [topic.name for topic in (*declared(settings.partitions), *recipients)]


@contextmanager
def _keeping(settings: Settings) -> Iterator[None]:
    keeper = Keeper(settings, serving=settings.metrics_port is not None)
    with ExitStack() as stack:
        if settings.metrics_port is not None:
            stack.enter_context(serve(settings.metrics_port, keeper.standing, keeper.health))
        stack.enter_context(keeper.running())
        yield
