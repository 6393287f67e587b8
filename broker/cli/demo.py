"""`broker demo`: the main job on this machine, from native files to alerts."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM, signal
from typing import Any

import click
from rich.console import Console

from broker.cli.options import quiet_clients
from broker.demo.page import next_steps
from broker.demo.run import Options, run_demo
from broker.errors import InputError
from broker.kafkaaccess import KafkaAccess
from broker.settings import load_access
from broker.simulate.area import Area
from broker.stream.node.kafka_node import EMBEDDED

_FOLDER = Path("demo-area")


@click.command()
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=_FOLDER, show_default=True, help="Where it plays."
)
@click.option("--children", type=click.IntRange(200, 100_000), default=2_000, show_default=True, help="How many live there.")
@click.option("--stories", type=click.IntRange(1, 20_000), default=300, show_default=True, help="How many families have a story.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same county.")
@click.option("--workers", type=click.IntRange(1, 16), default=2, show_default=True, help="How many worker processes decide.")
@click.option("--kafka", envvar="KAFKA", help="host:port of a Kafka that is there, or `embedded`.  [env: KAFKA]")
@click.option(
    "--kafka-access",
    "access_file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="KAFKA_ACCESS",
    help="A settings file whose [kafka_access] says how that Kafka lets one in; else in clear.  [env: KAFKA_ACCESS]",
)
@click.option("--keep", is_flag=True, help="Leave Kafka and the workers running until Ctrl-C, to look around in.")
def demo(folder: Path, *, children: int, stories: int, seed: int, **how: Any) -> None:
    """Run the main job on this machine: a synthetic county's files in, alerts out, everything counted.

    Exit code 0 only when everybody who must hear did, nobody who must never did, nobody was told twice, and every event is
    accounted for; 1 when not. Nothing stays running afterwards.

    Example: broker demo --keep
    """
    quiet_clients()
    signal(SIGTERM, _leave)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    area = Area(seed=seed, children=children, stories=stories, until=yesterday)
    kafka, access = how["kafka"] or None, _access(how["kafka"], how["access_file"])
    options = Options(area=area, folder=folder, workers=how["workers"], kafka=kafka, access=access, keep=how["keep"])
    console = Console(highlight=False)
    outcome = run_demo(options, console)
    if not options.keep:
        console.print(next_steps(folder, running=False), soft_wrap=True)
    sys.exit(0 if outcome.is_good else 1)


def _leave(*_: object) -> None:
    """End as at Ctrl-C: what was started ends, and Kafka's data goes with it."""
    raise KeyboardInterrupt


def _access(kafka: str | None, file: Path | None) -> KafkaAccess | None:
    """Return how the given Kafka lets one in; raises InputError where none is given: ours lets everybody in."""
    if file is None:
        return None
    if not kafka or kafka == EMBEDDED:
        raise InputError("--kafka-access says how a Kafka that is there lets one in: name that one with --kafka host:port")
    return load_access(file, kafka)


commands = {"demo": demo}
