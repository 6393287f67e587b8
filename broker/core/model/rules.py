"""What is in force where a record stands in a child's line."""

from dataclasses import dataclass

from broker.core.model.policy import Policy
from broker.core.model.registers import Registers


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy and the registers in force there."""

    policy: Policy
    registers: Registers
