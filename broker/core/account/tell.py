"""A disclosure in words that somebody can act on at three in the morning: who, what, why, on which basis, by when.

Only what is in the disclosure is said; what was not granted is not mentioned.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from broker.core.account.words import OUTCOMES, Words, born_in_words, scheme_in_words, time_in_words, until_in_words
from broker.core.model.notice import TOLD_RULE, WARNING_RULE

HEADINGS = {
    "ALERT": "ALERT",
    "EXISTENCE": "THERE IS SOMETHING",
    "CORRECTION": "CORRECTION",
    "RETRACTION": "TAKEN BACK",
    "OUTCOME": "OUTCOME",
    "ESCALATION": "NOT CONFIRMED IN TIME",
    "GAP": "NOBODY TOLD",
}
# What cannot wait must not look like everything else, however little is said of it.
DANGER = {one: f"{HEADINGS[one]}, DANGER NOW" for one in ("ALERT", "EXISTENCE")}
_EMERGENCY = "EMERGENCY"  # the rung of the policy's ladder for danger to life or limb
WARNING = "NOT CONFIRMED YET"  # an escalation to whoever is about to be late
# Groups of a disclosure in the order in which they are said; identity comes first, as who.
_GROUPS = (
    ("concern", "what"),
    ("narrative", "account"),
    ("clinical", "health"),
    ("wish", "child says"),
    ("third_party", "others"),
    ("intelligence", "police"),
    ("location", "where"),
    ("contact", "reach"),
)

_ABUSE = "cin-category-of-abuse"
_LISTS = {  # fields that hold a code of a list by themselves
    "referral_source": ("cin-referral-source",),
    "category_of_abuse": (_ABUSE,),
    "reason": ("cin-reason-for-closure", "dfe-exclusion-category"),
    "status": ("cin-status",),
    "decision": (OUTCOMES,),
}
_TIMES = ("_on", "_at", "_by")

Disclosure = Mapping[str, Any]  # as its schema has it, decoded
Line = tuple[str, str]  # a label and what is said


_NO_WORDS = Words()


def heading(disclosure: Disclosure, words: Words = _NO_WORDS) -> str:
    """Return the first line: what kind of message, about what."""
    kind = HEADINGS[disclosure["kind"]]
    if WARNING_RULE in disclosure["rules"]:
        kind = WARNING
    elif disclosure["kind"] in DANGER and disclosure["lawful_basis"] == _EMERGENCY:
        kind = DANGER[disclosure["kind"]]
    return f"{kind}  {words.event(disclosure['event_type'])}"


def tell(disclosure: Disclosure, words: Words = _NO_WORDS) -> list[Line]:
    """Return the lines of a disclosure, each with its label."""
    return [(label, text) for label, text in _lines(disclosure, words) if text]


def _lines(one: Disclosure, words: Words) -> Iterator[Line]:
    yield "child", who(one)
    yield "you said", _own(one)
    if one["replaces"]:
        yield "about" if TOLD_RULE in one["rules"] else "instead of", one["replaces"]
    for group, label in _GROUPS:
        yield label, _said(one[group], words)
    yield "when", time_in_words(one["occurred_at"] or "")
    yield "said by", _source(one, words)
    yield "ask", words.named(one["contact_point"] or "")
    yield "why you", " ".join(_sentence(words.spelt_out(said)) for said in one["because"])
    yield "basis", words.basis(one["lawful_basis"], one["gateway"])
    yield (
        "family told",
        {"YES": "yes", "NOT_SAFE": "no, it is not safe", "NOT_PRACTICABLE": "no", "NOT_YET": "not yet"}.get(
            one["told_family"] or "", ""
        ),
    )
    for obligation in one["obligations"]:
        yield "keep to", obligation
    yield "by", until_in_words(one["due_at"]) if one["due_at"] else ""
    yield "relevant to", until_in_words(one["expires_at"]) if one["expires_at"] else ""
    yield "your role", words.role(one["role"])


def _sentence(text: str) -> str:
    """Return a reason as a sentence of its own: several stand behind one another."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def who(one: Disclosure) -> str:
    """Say who the child is as far as that was granted; else only the recipient's own reference."""
    identity = one["identity"] or {}
    names = [f"{name['given']} {name['family']}".strip() for name in identity.get("names") or ()]
    born = f"born {born_in_words(identity['birth_date'])}" if identity.get("birth_date") else ""
    numbers = [f"{scheme_in_words(number['scheme'])} {number['value']}" for number in identity.get("identifiers") or ()]
    part = (
        f"as {one['subject_role'].lower().replace('_', ' ')}" if one["subject_role"] not in {None, "SUBJECT", "UNKNOWN"} else ""
    )
    return ", ".join(text for text in (*names[:1], born, *numbers, part, one["child"]) if text)


def _own(one: Disclosure) -> str:
    """Say which of the recipient's own events a message answers: of what it told itself it knows who the child is."""
    reference = f"under your reference {one['own_reference']}, " if one.get("own_reference") else ""
    return f"{reference}in event {one['answers']}" if one.get("answers") else ""


def _source(one: Disclosure, words: Words) -> str:
    kind = {"FACT": "as fact", "OPINION": "as opinion", "THIRD_PARTY": "as somebody's report", "INTELLIGENCE": "as intelligence"}
    return ", ".join(text for text in (words.name(one["producer"] or ""), kind.get(one["assertion"] or "", "")) if text)


def _said(group: Mapping[str, Any] | None, words: Words) -> str:
    return "; ".join(_pairs(group, words)) if group else ""


def _pairs(group: Mapping[str, Any], words: Words) -> Iterator[str]:
    for name, value in group.items():
        if value in (None, [], "") or name == "checked":
            continue
        if name in {"text", "words"}:
            yield f"“{value}”"
        elif name == "codes":
            yield ", ".join(code_in_words(code, words) for code in value)
        else:
            yield f"{name.replace('_', ' ')} {value_in_words(name, value, words) or _plain(value)}"


def code_in_words(code: Mapping[str, Any], words: Words) -> str:
    """Say a coded concern: what it means, and the code behind it; one that no list has stays as it stands."""
    scheme, value, abuse = code["scheme"], code["code"], code.get("abuse")
    means = words.meaning(scheme, value)
    coded = f"{words.list_of(scheme)} {value}"
    kind = (words.meaning(_ABUSE, abuse) or abuse.lower()) if abuse else ""
    if not means:
        said = f"{coded} ({kind})" if kind else coded
    elif means.startswith(value):
        return means  # a figure, which may be none
    else:
        said = f"{means} ({', '.join(one for one in (coded, '' if kind in means else kind) if one)})"
    return said if code.get("present", True) or means.startswith("no ") else f"not {said}"


def value_in_words(name: str, value: Any, words: Words) -> str:
    """Say the value of a field that holds a code or a time; an empty text of every other."""
    if not isinstance(value, str):
        return ""
    if name.endswith(_TIMES):
        return time_in_words(value)
    means = next((said for scheme in _LISTS.get(name, ()) if (said := words.meaning(scheme, value))), "")
    return f"{means} ({value})" if means else ""


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(one) for one in value.values() if one)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(one) for one in value)
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
