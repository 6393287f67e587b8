"""A policy that does not keep back what it must is unfit, whichever rule was taken out or narrowed."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from broker.policyfile.checks import check
from broker.policyfile.reading import Fault

TODAY = date(2026, 11, 22)

# rule -> who lacks its protection then, and in which words
REMOVED = [
    ("protected-place", "safe_address", "where the child is, is not kept back from everybody"),
    ("protected-place", "restricted_record", "where the child is, is not kept back from everybody"),
    ("protected-place", "protected_person", "earlier names and numbers are not cut out"),
    ("protected-place-betrayed", "safe_address", "what betrays where the child is, is not cut out"),
    ("protected-free-text", "identity_changed", "free text that nobody checked is not cut out"),
    ("changed-identity-unlinked", "identity_changed", "what would join the old identity and the new is not kept back"),
    ("changed-identity-existence", "identity_changed", "that there is anything is not kept from everybody but the hub"),
    ("protected-person-unseen", "protected_person", "not everything is kept back from everybody"),
    ("intelligence-stays", "police.intelligence.held", "what police intelligence says is not kept with its originator"),
    ("intelligence-anywhere-stays", "originator_release", "what is said as intelligence is not kept back"),
    ("lay-referrer", "", "who outside the professions spoke up is not kept back"),
    ("detriment", "detriment", "a finding of detriment keeps nothing back from whom it names"),
    (
        "sensitive-service-of-a-competent-child",
        "health.ed.attended",
        "what a competent child told a sensitive service is not kept back",
    ),
]

# rule, what in it, by what it is replaced, the key that is named, what is said of it
NARROWED = [
    ("protected-place", '"safe_address", ', "", "", "where the child is, is not kept back"),
    ("protected-place", '["location", "contact"]', '["contact"]', "", "where the child is, is not kept back"),
    ("protected-place", "cut =", 'to = ["dsl"]\ncut =', "to", "it speaks only to `dsl`"),
    ("protected-place", "cut =", 'spare = ["gp"]\ncut =', "spare", "it spares `gp`"),
    ("protected-place", "in_force_from = 2023-12-15", "in_force_from = 2030-01-01", "in_force_from", "not in force before 2030"),
    ("protected-place", "[rule.when]", '[rule.when]\nevent = ["school.suspension"]', "", "where the child is, is not kept back"),
    ("protected-place-betrayed", '"social_worker"]', '"social_worker", "dsl"]', "spare", "it spares `dsl`"),
    ("changed-identity-unlinked", '"identity", "contact"', '"contact"', "", "what would join the old identity and the new"),
    ("changed-identity-existence", '["hub"]', '["hub", "gp"]', "spare", "it spares `gp`"),
    ("protected-person-unseen", '["everything"]', '["everything"]\nspare = ["hub"]', "spare", "it spares `hub`"),
    ("intelligence-stays", "originator_release", "significant_harm", "unless", "an exception that may not be"),
    ("intelligence-anywhere-stays", '"fact", ', '"fact", "intelligence", ', "unless", "an exception that may not be"),
    ("lay-referrer", '"social_worker"]', '"social_worker", "dsl"]', "spare", "it spares `dsl`"),
    ("detriment", '["everything"]', '["narrative"]', "", "a finding of detriment keeps nothing back"),
    ("sensitive-service-of-a-competent-child", '["coercion"]', '["competent"]', "", ""),
    (
        "sensitive-service-of-a-competent-child",
        '["health.ed.attended", "health.admitted"]',
        '["health.ed.attended"]',
        "",
        "sensi",
    ),
]


def changed(folder: Path, rule: str, change: Callable[[str], str]) -> list[Fault]:
    """Change one rule of the policy; return what is wrong then."""
    for file in folder.glob("*.toml"):
        text = file.read_text()
        found = re.search(rf'\[\[rule\]\]\nid = "{rule}"\n(?:(?!\n\[\[rule\]\]\n).)*', text, re.DOTALL)
        if found:
            after = change(found[0])
            assert after != found[0], "the test changes nothing"
            file.write_text(text[: found.start()] + after + text[found.end() :])
    return list(check(folder, TODAY).faults)


@pytest.mark.parametrize(("rule", "whom", "says"), REMOVED)
def test_no_protecting_rule_can_be_taken_out(folder: Path, rule: str, whom: str, says: str) -> None:
    faults = [one for one in changed(folder, rule, lambda _: "") if says in one.what]

    assert faults, "nobody noticed"
    assert all(whom == one.entry or f"`{whom}`" in one.what for one in faults)
    assert all(one.line > 1 and "write a withhold with" in one.remedy for one in faults)


@pytest.mark.parametrize("narrowed", NARROWED, ids=lambda one: f"{one[0]}-{one[3]}")
def test_no_protecting_rule_can_be_narrowed(folder: Path, narrowed: tuple[str, str, str, str, str]) -> None:
    rule, old, new, key, says = narrowed
    faults = changed(folder, rule, lambda text: text.replace(old, new))

    found = [one for one in faults if says in one.what]
    assert found, [str(one) for one in faults]
    if key:
        lines = (folder / found[0].file).read_text().splitlines()
        assert found[0].entry == rule
        assert key in lines[found[0].line - 1]


def test_a_narrowed_rule_says_how_it_does_again_and_nothing_that_would_be_wrong_too(folder: Path) -> None:
    """An exception for consent is no fault of consent here: a protection has no such exception at all."""
    exception = '[[rule.unless]]\nagreement = { consent = ["given"] }\n'
    faults = changed(folder, "protected-place", lambda text: f"{text}\n{exception}")

    assert faults
    assert all(one.remedy.startswith("take out that exception, or write a withhold with") for one in faults)
    spared = changed(folder, "protected-place-betrayed", lambda text: text.replace('"hub", ', '"hub", "gp", '))
    assert any(one.remedy.startswith("take them out of `spare`, or write") for one in spared)


def test_a_policy_without_any_protection_is_unfit_in_every_respect(folder: Path) -> None:
    (folder / "protections.toml").unlink()
    (folder / "protections.cases.toml").unlink()

    words = {one.what for one in check(folder, TODAY).faults}
    assert all(any(says in what for what in words) for rule, _, says in REMOVED if not rule.startswith("sensitive"))


def test_a_catalogue_without_a_protected_class_is_unfit(folder: Path) -> None:
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(catalogue.read_text().replace('[[protection]]\nname = "protected_person"', '[[protection]]\nname = "x"'))

    assert "the catalogue does not know the protection `protected_person`" in {one.what for one in check(folder, TODAY).faults}


def test_a_policy_may_always_keep_back_more(folder: Path) -> None:
    assert not changed(
        folder, "protected-place", lambda text: text.replace('["location", "contact"]', '["location", "contact", "wish"]')
    )


def test_two_rules_may_do_what_one_has_to(folder: Path) -> None:
    def split(text: str) -> str:
        other = text.replace('"protected-place"', '"protected-telephone"').replace('["location", "contact"]', '["contact"]')
        return text.replace('["location", "contact"]', '["location"]') + "\n" + other

    assert {one.what for one in changed(folder, "protected-place", split)} == {"no case names it"}


@pytest.mark.parametrize(
    ("add", "says"),
    [
        ('[[rule.unless]]\nagreement = { consent = ["given"] }\n', "it withholds unless somebody agrees, even where significant"),
        ("", "it withholds on refused consent even where significant harm is likely"),
    ],
)
def test_nothing_is_kept_back_by_consent_alone(folder: Path, add: str, says: str) -> None:
    """I6, said either way: on a refusal, or unless there is agreement."""
    condition = "" if add else 'agreement = { service = ["refused"] }\n'
    text = f"""[[rule]]
id = "by-consent"
effect = "withhold"
because = "Nobody agreed."
categories = ["everything"]
owner = "somebody"
source = "a local habit"
verified = true
in_force_from = 2024-01-01
[rule.when]
event = ["school.suspension"]
{condition}{add}"""
    (folder / "local.toml").write_text(text)

    assert [one.entry for one in check(folder, TODAY).faults if says in one.what] == ["by-consent"]


def test_a_share_that_stands_on_an_agreement_asks_whether_it_was_given(folder: Path) -> None:
    faults = changed(folder, "step-down-to-family-help", lambda text: text.replace('agreement = { service = ["given"] }\n', ""))

    assert "it stands on an agreement to a service and does not ask whether it was given" in {one.what for one in faults}
