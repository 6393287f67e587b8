"""Who may answer what a child's line asks: whoever was asked, or the hub of the child's own area, and not everything."""

from broker import codec
from broker.core.exclusions import excluded_for
from broker.core.facts import Facts
from broker.core.line import hub_for
from broker.core.questions import ASK, HOLD
from broker.core.registers import Registers
from broker.errors import NotPermittedError
from broker.stream.decide.shelf import Waiting

LINK = "LINK"


def check_answer(holder: str, decision: str, asked: Waiting, facts: Facts, registers: Registers) -> None:
    """Check that the holder of the key that signed an answer may give it; raises NotPermittedError.

    Never whom somebody excludes for the child by now (R11), nor a publisher that its own event in question goes on, nor
    anybody but the hub that more is told while something that protects the child is in question. Whether a finding holds is
    for who was asked alone.
    """
    event = codec.decode_event(asked.event)
    asks_hub = (facts.home_area or asked.kind != HOLD) and not asked.is_about_finding
    hub = hub_for(facts, event, registers) if asks_hub else None
    if holder not in {asked.for_recipient, hub} - excluded_for(facts):
        raise NotPermittedError(f"`{holder}` was not asked and cannot decide this")
    if decision != LINK:
        return
    if asked.kind == HOLD and holder == event.header.producer:
        raise NotPermittedError("nobody decides that its own event in question goes on: it can only be rejected, or taken back")
    if asked.kind == ASK and facts.holds and hub not in {None, holder}:
        raise NotPermittedError("something that protects this child is in question: until that is answered its hub decides")
