"""`broker run`: a worker. Start as many as there are cores; each takes its share of the partitions."""

import os
import sys

import click

from broker import bootstrap
from broker.cli.options import with_settings
from broker.errors import WorkerStuckError
from broker.log import configure_log
from broker.settings import Settings


@click.command()
@click.option("--stages", help=f"Only these, with commas: {', '.join(bootstrap.STAGES)}. All of them when left out.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Serve /metrics for Prometheus and /health in words on 127.0.0.1:PORT; 0 lets the machine choose.",
)
@click.option("--no-index", is_flag=True, help="Do not keep the index of the audit log in this process.")
@click.option("--log-json", is_flag=True, help="Write log entries as JSON.")
@with_settings
def run(settings: Settings, *, stages: str | None, metrics_port: int | None, no_index: bool, log_json: bool) -> None:
    """Run a worker: take events in, identify the child, decide, deliver.

    It waits while Kafka is away, and leaves within five seconds of Ctrl-C or SIGTERM. Nothing is lost when it is killed:
    the next worker goes on from what was committed.

    Example: broker run --metrics-port 9464
    """
    configure_log(json=log_json)
    chosen = settings if metrics_port is None else settings.model_copy(update={"metrics_port": metrics_port})
    names = tuple(name.strip() for name in stages.split(",")) if stages else bootstrap.STAGES
    try:
        bootstrap.run(chosen, names, keep=not no_index)
    except WorkerStuckError:
        # Nothing was committed that was not wholly written; a new image of this process has no client that hangs.
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the same program with the same words


commands = {"run": run}
