"""Say in words whether a worker is well, for `/health`: a person reads it, and a machine reads the status."""

from broker.lag.report import Report
from broker.lag.words import sentences

STALE_MS = 60_000  # an older report says nothing about now


def health(report: Report | None, now: int, *, problem: str | None = None) -> tuple[bool, str]:
    """Return whether all is well and the words for it. `problem` is what the worker itself knows to be wrong."""
    if problem is not None:
        return False, f"{problem}\n"
    if report is None:
        return False, "starting: nothing has been read yet\n"
    if now - report.at > STALE_MS:
        return False, f"kafka has not answered for {(now - report.at) // 1000} s; nothing is lost, work goes on when it is back\n"
    return not report.needs_help, "".join(f"{sentence}\n" for sentence in sentences(report))
