"""Plain words for what stands in a message as a code: event types, agencies and desks, roles, lawful bases, instants, schemes.

Pure: made of a policy and of registers. What neither knows is said as it stands, so that nothing is ever left out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from broker.core.model.dates import instant_of, is_plausible
from broker.core.model.policy import Policy
from broker.core.model.registers import Registers

OUTCOMES = "outcome"  # the scheme under which the policy's outcomes are listed
_ZONE = ZoneInfo("Europe/London")
_TOKEN = re.compile(r"[\w:.-]*\w")  # an id as it stands in a sentence, without the punctuation behind it
_AGENCY = re.compile(r".*:.*|[A-Z]\d{8}")  # as `police:42`, and a council's code of the statistics office
_CATEGORIES = {"existence": "that it happened", "third_party": "third parties", "wish": "the child's own words"}
_CONTENT = {
    "existence": "that it happened",
    "identity": "who the child is",
    "contact": "telephone numbers and e-mail",
    "location": "places and addresses",
    "concern": "what the concern is",
    "narrative": "the account in words",
    "clinical": "what concerns health",
    "intelligence": "intelligence of the police",
    "third_party": "who else is named in it",
    "wish": "the child's own words",
}
_SCHEMES = {
    "nhs_number": "NHS number",
    "upn": "UPN",
    "ni_number": "NI number",
    "cin": "census code",
    "la_child_id": "council's child ID",
    "former_upn": "former UPN",
    "uln": "unique learner number",
    "mrn": "hospital number",
}

_RECEIPTS = {  # what stands in the log as the type of a receipt
    "receipt.delivered": "It was delivered",
    "receipt.read": "It was read",
    "receipt.acted": "It was acted on",
    "receipt.outcome": "Something came of it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """A published list of codes: what it is a list `of`, what each code means; or what its figures count."""

    source: str
    of: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)
    counts: str = ""


CodeLists = Mapping[str, CodeList]  # by the scheme under which events hold the codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What each code means. `names` are those of agencies and recipients; empty where the registers are not at hand."""

    events: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    bases: Mapping[str, str] = field(default_factory=dict)
    lists: CodeLists = field(default_factory=dict)

    def event(self, event_type: str) -> str:
        """Say what happened."""
        return self.events.get(event_type) or _RECEIPTS.get(event_type, event_type)

    def event_and_code(self, event_type: str) -> str:
        """Say what happened, with the code behind it for whoever has to ask for help."""
        said = self.event(event_type)
        return f"{said} ({event_type})" if said != event_type else event_type

    def name(self, some_id: str) -> str:
        """Name an agency or a recipient, with the id behind it."""
        return f"{self.names[some_id]} ({some_id})" if some_id in self.names else some_id

    def named(self, text: str) -> str:
        """Put names instead of the ids in a sentence; a desk's id may be a word of the language, an agency's is none."""
        return _TOKEN.sub(lambda found: self.names.get(found[0], found[0]) if _AGENCY.fullmatch(found[0]) else found[0], text)

    def role(self, role: str) -> str:
        """Say what somebody in a role is."""
        return self.roles.get(role, role.replace("_", " "))

    def spelt_out(self, text: str) -> str:
        """Put what somebody in a role is, or a name, instead of the code that stands in backticks in a sentence."""
        parts = text.split("`")
        if len(parts) % 2 == 0:
            return text
        return "".join(self._spelt(part) if at % 2 else part for at, part in enumerate(parts))

    def _spelt(self, code: str) -> str:
        if code in self.roles:
            return f"“{self.roles[code]}”"
        return self.name(code) if code in self.names else f"`{code}`"

    def meaning(self, scheme: str, code: str) -> str:
        """Say what a code of a published list means; an empty text where no list here has it."""
        listed = self.lists.get(scheme)
        if listed is None:
            return ""
        return f"{code} {listed.counts}" if listed.counts else listed.codes.get(code, "")

    def list_of(self, scheme: str) -> str:
        """Say what a scheme lists, to stand before a code of it."""
        return (self.lists[scheme].of if scheme in self.lists else "") or scheme_in_words(scheme)

    def with_roles(self, text: str) -> str:
        """Put what somebody in a role is instead of the roles that a sentence ends with, one after the other."""
        said, but, names = text.rpartition(" but ")
        roles = names.split(", ")
        return f"{said}{but}{'; '.join(map(self.role, roles))}" if but and set(roles) <= set(self.roles) else text

    def basis(self, basis: str, gateway: str | None = None) -> str:
        """Say on which lawful basis and by which statute."""
        said = self.bases.get(basis) or basis.replace("_", " ").lower()
        return f"{said}, by {gateway}" if gateway else said


def _clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def words_of(policy: Policy, registers: Registers | None = None, lists: CodeLists = MappingProxyType({})) -> Words:
    """Return the words of a policy, of registers and of published code lists."""
    names: dict[str, str] = {}
    if registers is not None:
        names.update({one.id: one.name for one in registers.agencies.values()})
        names.update({one.id: one.name for one in registers.recipients.values()})
    outcomes = {name: _clause(says) for name, says in policy.outcomes.items()}
    return Words(
        events={name: one.says for name, one in policy.events.items()}
        | {f"clock.{name}": one.says for name, one in policy.clocks.items()},
        names=names,
        roles={str(name): one.title for name, one in policy.roles.items()},
        lists={
            **lists,
            OUTCOMES: CodeList(source="the policy", codes=outcomes),
        },
        bases={name: one.title or one.says.rstrip(".") for name, one in policy.bases.items()},
    )


def count(number: int, noun: str, several: str = "") -> str:
    """Say how many: `1 event`, `2,000 events`."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"


def instant_in_words(at: int) -> str:
    """Say an instant as people in England do; what is in no year that counts is said to be so."""
    return _moment(datetime.fromtimestamp(at / 1000, UTC)) if is_plausible(at) else "at a time that cannot be right"


def until_in_words(at: int) -> str:
    """Say an instant by which something has to be done: midnight is the end of the day before, not the beginning of a day."""
    said = instant_in_words(at)
    if not said.endswith("at 00:00"):
        return said
    return f"the end of {day_at(at - 1000)}, at midnight"


def time_in_words(text: str) -> str:
    """Say an ISO 8601 day or time as people in England do; what is neither stays as the source wrote it."""
    try:
        if len(text) == len("2026-11-03"):
            return day_in_words(date.fromisoformat(text))
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if instant_of(text) is None:
        return text
    return _moment(at) if at.tzinfo else f"{day_in_words(at.date())} at {at:%H:%M}"


def day_at(at: int) -> str:
    """Say the day of an instant, in England."""
    return day_in_words(datetime.fromtimestamp(at / 1000, UTC).astimezone(_ZONE).date())


def day_in_words(day: date) -> str:
    """Say a day as people in England do."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def born_in_words(text: str) -> str:
    """Say a date of birth, without the day of the week; an incomplete one stays as the source wrote it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{day.day} {day:%b %Y}"


def category_in_words(category: str) -> str:
    """Say a category of information in plain words."""
    return _CATEGORIES.get(category, category.replace("_", " "))


def content_in_words(category: str) -> str:
    """Say what somebody learns who is told a category of information."""
    return _CONTENT.get(category, category_in_words(category))


def scheme_in_words(scheme: str) -> str:
    """Name a scheme of numbers or a list of codes."""
    return _SCHEMES.get(scheme, scheme.replace("_", " "))


def _moment(at: datetime) -> str:
    local = at.astimezone(_ZONE)
    return f"{day_in_words(local.date())} at {local:%H:%M}"
