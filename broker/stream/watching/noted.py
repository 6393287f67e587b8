"""What the worker that keeps the books has found, in a file beside them, so that every worker of the place shows the same.

Written whole and moved into its place, so that a reader never sees half of it. It holds counts only.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from broker.core.account.balance import Balance, Fault, unaccounted
from broker.lag.report import Report
from broker.lag.tally import Tally

FILE = "standing.json"
_NAMED = 20  # faults kept for each partition: to say where to look, not to list them


@dataclass(frozen=True, slots=True)
class Noted:
    """What was found, and when the reconciler last came to the end of the log (milliseconds); None before it ever did."""

    tally: Tally = field(default_factory=Tally)
    balances: tuple[Balance, ...] = ()
    reconciled_at: int | None = None


def write_noted(folder: Path, noted: Noted) -> None:
    """Put what was found where others of this place find it."""
    told = {
        "tally": {one.name: dict(getattr(noted.tally, one.name)) for one in fields(Tally)},
        "balances": [_plain(one) for one in noted.balances],
        "reconciled_at": noted.reconciled_at,
    }
    file = folder / f"{FILE}.new"
    file.write_text(json.dumps(told))
    file.replace(folder / FILE)


def read_noted(folder: Path) -> Noted | None:
    """Return what was found last; None when nothing was, or the file cannot be read."""
    try:
        told = json.loads((folder / FILE).read_text())
        tally = Tally(**{one.name: Counter(told["tally"][one.name]) for one in fields(Tally)})
        return Noted(tally, tuple(_balance(one) for one in told["balances"]), told["reconciled_at"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _plain(balance: Balance) -> dict[str, Any]:
    return asdict(replace(balance, faults=balance.faults[:_NAMED]))


def with_noted(report: Report, noted: Noted | None) -> Report:
    """Return a report that says what does not add up."""
    return replace(report, unaccounted=dict(unaccounted(noted.balances))) if noted else report


def _balance(told: dict[str, Any]) -> Balance:
    return Balance(**{**told, "faults": tuple(Fault(**fault) for fault in told["faults"])})
