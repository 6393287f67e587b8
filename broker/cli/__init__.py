"""The program `broker`: one file per group of commands, each loaded only when it is asked for."""

import gc
import os
import sqlite3
import sys
from importlib import import_module
from types import ModuleType

import click

from broker import __version__
from broker.core.account.harmless import lines_of
from broker.errors import BrokerError, RejectError, RetryError, reason_in_words

# Command -> the module under broker.cli that holds it in its `commands`, and what it does.
COMMANDS = {
    "acknowledge": ("receipts", "Say that a disclosure was read."),
    "act": ("receipts", "Say that a disclosure was acted on."),
    "connect": ("connect", "Run a connector: an agency's native files in, or disclosures out."),
    "dead-letters": ("dead_letters", "List, show and redrive records that could not be taken."),
    "demo": ("demo", "Run the main job on this machine: a synthetic area, native files in, alerts out."),
    "doctor": ("doctor", "Check this set-up and say what to do."),
    "explain": ("explain", "Say why somebody was told, or was not."),
    "keys": ("keys", "Make the keys of an agency, a recipient or the broker."),
    "lag": ("lag", "Show how far behind each stage is, in seconds and in words."),
    "outcome": ("receipts", "Say what came of a disclosure."),
    "policy": ("policy", "Check, test and release the rules."),
    "publish": ("publish", "Publish events in the canonical form (JSON, one per line)."),
    "reconcile": ("reconcile", "Prove from the log that every accepted record is accounted for."),
    "registers": ("registers", "Show and release the registers of agencies and recipients."),
    "reviews": ("reviews", "List and resolve what a person has to decide."),
    "run": ("run", "Run a worker: take events in, decide, deliver."),
    "schemas": ("schemas", "Check the message schemas against their released versions."),
    "simulate": ("simulate", "Write a synthetic area's native files and their truth."),
    "subscribe": ("subscribe", "Follow what a recipient is told."),
    "topics": ("topics", "Compare the topics with their declaration and create what is missing."),
}

EXIT_REJECTED = 3  # the input was not taken
EXIT_UNFIT = 2  # settings, policy, registers or state are unfit
EXIT_TRY_AGAIN = 75  # the far side is unwell; the same command may succeed later (sysexits EX_TEMPFAIL)


def _loaded(name: str) -> ModuleType:
    """Load a module without looking for garbage meanwhile, nor ever again among what it brought: it stays, and is a lot."""
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is used, so that `broker --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module = _loaded(f"broker.cli.{COMMANDS[cmd_name][0]}")
        commands: dict[str, click.Command] = module.commands
        return commands[cmd_name]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list from the table above, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="broker")
def cli() -> None:
    """Share what protects a child with those who need to know, and with nobody else.

    Exit status of every command: 2 settings, policy, registers or state are unfit; 3 the input was not taken; 75 Kafka is away
    or has no topics yet, and the same command may succeed later. What else one means stands in its own help.

    Example: broker demo
    """


def main() -> None:
    """Run the program; an error of ours is one line of plain words and an exit code that means something.

    What it writes is not for everybody on the machine: inboxes, memories of connectors and notices name children.
    """
    os.umask(os.umask(0) | 0o007)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # there are none; to look costs a tenth of the start
    try:
        ended = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokerError as error:
        click.echo("\n".join(lines_of(f"broker: {error}")), err=True)  # one line per fault
        sys.exit(
            EXIT_TRY_AGAIN if isinstance(error, RetryError) else EXIT_REJECTED if isinstance(error, RejectError) else EXIT_UNFIT
        )
    except sqlite3.Error as error:
        click.echo(f"broker: the folder of local state (`data` in the settings): {error}: see `broker doctor`", err=True)
        sys.exit(EXIT_UNFIT)
    except OSError as error:
        click.echo(f"broker: {_place(error)}{reason_in_words(error)}", err=True)
        sys.exit(EXIT_UNFIT)
    sys.exit(ended if isinstance(ended, int) else 0)  # click hands back the code of an `Exit`


def _place(error: OSError) -> str:
    return f"`{error.filename}`: " if error.filename else ""
