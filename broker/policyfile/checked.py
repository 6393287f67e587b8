"""A policy while it is checked: its shape, where everything stands, the names that it knows, and what was found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from broker.policyfile.case_shapes import Placed
from broker.policyfile.reading import Entry, Fault, Folder
from broker.policyfile.shapes import PolicyShape, RuleShape

_STATES = frozenset({"given", "refused", "withdrawn"})
AGREEMENTS: Mapping[str, frozenset[str]] = {"consent": _STATES, "service": _STATES}


@dataclass
class Checked:
    """A policy while it is checked: its shape, where everything stands, and the names that it knows.

    `doubted` are the tables of which something could not be read, by kind and place: that they lack something may only come of
    that. `mentioned` is what stands in quotes in files of cases of which something could not be read.
    """

    shape: PolicyShape
    folder: Folder
    cases: list[Placed]
    today: date
    doubted: frozenset[tuple[str, int]] = frozenset()
    mentioned: frozenset[str] = frozenset()
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    _names: dict[str, frozenset[str]] = field(default_factory=dict)

    def is_sure(self, rule: RuleShape) -> bool:
        """Tell whether all of a rule could be read."""
        return ("rule", self._number(rule)) not in self.doubted

    @cached_property
    def sure_rules(self) -> tuple[RuleShape, ...]:
        """The rules that could be read whole."""
        return tuple(rule for at, rule in enumerate(self.shape.rule) if ("rule", at) not in self.doubted)

    @property
    def all_rules_are_sure(self) -> bool:
        """Whether all rules could be read whole: only then can be told that none of them does something."""
        return len(self.sure_rules) == len(self.shape.rule)

    @cached_property
    def events(self) -> dict[str, dict[str, frozenset[str]]]:
        """Event types with their attributes and the values of those."""
        return {
            one.name: {at.name: frozenset(at.values) for at in (*self.shape.attribute, *one.attributes) if at.is_of(one.name)}
            for one in self.shape.event
        }

    @cached_property
    def statuses(self) -> frozenset[str]:
        """Statuses that some event begins."""
        return frozenset(name for one in self.shape.event for name in (*one.begins, *one.begins_for))

    @cached_property
    def relations(self) -> frozenset[str]:
        """Relations that some event begins: by these roles are filled."""
        return frozenset(one.relation for one in self.shape.event if one.relation and one.connection != "ends")

    def names(self, kind: str) -> frozenset[str]:
        """The names of the entries of a kind."""
        if kind not in self._names:
            entries = getattr(self.shape, kind)
            self._names[kind] = frozenset(one.id if isinstance(one, RuleShape) else one.name for one in entries)
        return self._names[kind]

    def place(self, rule: RuleShape) -> Entry:
        """Where a rule stands; of two rules that say the same, each its own place."""
        return self.folder.entry("rule", self._number(rule))

    def _number(self, rule: RuleShape) -> int:
        return next(at for at, one in enumerate(self.shape.rule) if one is rule)

    def fault(self, rule: RuleShape, key: str, what: str, remedy: str) -> None:
        """Note that a rule is wrong at one of its keys."""
        entry = self.place(rule)
        self.faults.append(Fault(entry.file, entry.line_of(key), rule.id, what, remedy))

    def note(self, rule: RuleShape, key: str, what: str, remedy: str) -> None:
        """Note something about a rule that makes nothing unfit."""
        entry = self.place(rule)
        self.notes.append(Fault(entry.file, entry.line_of(key), rule.id, what, remedy))

    def fault_in(self, kind: str, at: int, what: str, remedy: str, key: str = "name") -> None:
        """Note that another entry is wrong."""
        entry = self.folder.entry(kind, at)
        one = getattr(self.shape, kind)[at]
        self.faults.append(Fault(entry.file, entry.line_of(key), getattr(one, "name", ""), what, remedy))
