"""What came of a run of the demo, and whether it is good."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.demo.notebook import Notebook
from broker.simulate.compare import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that the results page shows. `equation`: the reconciler's terms by name, `accepted` among them."""

    notebook: Notebook
    comparison: Comparison
    equation: Mapping[str, int]
    faults: tuple[str, ...] = ()
    lag_now: int = 0
    lag_worst: int = 0
    lag_history: list[int] = field(default_factory=list)

    @property
    def balances(self) -> bool:
        """Whether every accepted record is accounted for exactly once, and none is still on its way."""
        ended = sum(count for name, count in self.equation.items() if name not in ("accepted", "nowhere"))
        return not self.faults and not self.equation.get("nowhere") and self.equation["accepted"] == ended

    @property
    def is_good(self) -> bool:
        """Whether nothing is missing, forbidden, duplicated or late and the equation balances."""
        return self.balances and self.comparison.is_good
