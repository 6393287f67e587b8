"""Policy files: what is shipped is fit, every kind of fault is found with file, line and remedy, and a release is the same."""

from pathlib import Path

import pytest

from broker.core.model.policy import Effect
from broker.errors import PolicyError
from broker.policyfile import POLICIES, load_policy, policy_content, policy_from_content
from broker.policyfile.case_shapes import read_cases
from broker.policyfile.cases import run_cases
from broker.policyfile.checks import check
from broker.policyfile.reading import Fault
from tests.policyfile.local_rule import CASE, RULE, TODAY

WITHHOLD = """
[[rule]]
id = "local-rule"
effect = "withhold"
because = "A local reason."
categories = ["narrative"]
owner = "somebody"
source = "a statute"
verified = true
in_force_from = 2024-01-01
[rule.when]
event = ["school.suspension"]
"""


def with_rule(folder: Path, rule: str = RULE, case: str = CASE) -> list[Fault]:
    (folder / "local.toml").write_text(rule)
    (folder / "local.cases.toml").write_text(case)
    return [fault for fault in check(folder, TODAY).faults if fault.file.startswith("local")]


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_shipped_policy_is_fit():
    report = check(POLICIES, TODAY)

    assert [str(fault) for fault in report.faults] == []
    assert report.cases >= 60


def test_every_shipped_case_passes_and_every_rule_speaks_in_one():
    policy = load_policy()
    cases, unread = read_cases(POLICIES)
    failures, spoke = run_cases(policy, cases)

    assert [str(one) for one in (*unread, *failures)] == []
    assert {rule.id for rule in policy.rules} - spoke == set()


def test_a_local_rule_with_its_case_is_fit(folder):
    assert with_rule(folder) == []


FAULTS = [
    ("unknown-key", RULE, 'owner = "somebody"', 'ownr = "somebody"', "ownr", "unknown key `ownr`", "did you mean `owner`?"),
    ("missing-key", RULE, 'because = "A local reason."\n', "", "[[rule]]", "`because` is missing", "add it"),
    ("unknown-condition", RULE, "event =", "evnt =", "evnt", "unknown condition `evnt`", "did you mean `event`?"),
    ("unknown-role", RULE, '["gp"]', '["gpp"]', "to =", "unknown role `gpp`", "did you mean `gp`?"),
    (
        "unknown-event",
        RULE,
        "school.suspension",
        "school.suspensio",
        "event =",
        "unknown event",
        "did you mean `school.suspension`?",
    ),
    ("unknown-category", RULE, '"identity"', '"identiti"', "share", "unknown category `identiti`", "did you mean `identity`?"),
    ("unknown-basis", RULE, "PUBLIC_TASK", "PUBLIC_TAKS", "basis", "unknown basis", "did you mean `PUBLIC_TASK`?"),
    ("unknown-clock", RULE, "owner", 'clock = "1_hours"\nowner', "clock", "unknown clock `1_hours`", "did you mean `1_hour`?"),
    (
        "unknown-obligation",
        RULE,
        "owner",
        'obligations = ["you_onli"]\nowner',
        "oblig",
        "unknown obligations",
        "did you mean `you_only`?",
    ),
    ("unknown-asked-role", RULE, "owner", 'ask = "nobody_there"\nowner', "ask", "unknown role `nobody_there`", "use one of"),
    ("monitoring", RULE, '"identity"', '"monitoring"', "share", "monitoring data can be neither shared nor routed by", "R29"),
    ("no-existence", RULE, '"existence", ', "", "share", "without sharing that there is anything", "add `existence`"),
    ("no-basis", RULE, 'basis = "PUBLIC_TASK"\n', "", "effect", "a disclosure without `basis`", "say `basis`"),
    ("no-review", RULE, "review_by = 2027-01-01\n", "", "id =", "it has no review date", "say `review_by`"),
    (
        "review-passed",
        RULE,
        "review_by = 2027-01-01",
        "review_by = 2026-01-01",
        "review_by",
        "its review was due",
        "set a new date",
    ),
    (
        "out-of-force",
        RULE,
        "owner",
        "in_force_to = 2025-01-01\nowner",
        "in_force_to",
        "out of force since 2025-01-01",
        "take it out",
    ),
    ("ends-first", RULE, "owner", "in_force_to = 2023-01-01\nowner", "in_force_to", "it ends before it begins", "mend the dates"),
    ("no-age", RULE, "event =", "age = { from = 9, to = 4 }\nevent =", "age", "no age is from 9 to 4", "swap the two"),
    ("no-publisher", RULE, "event =", 'publisher = ["police"]\nevent =', "publisher", "that sector publishes none", "mend one"),
    (
        "unknown-attribute",
        RULE,
        "event =",
        'attribute = { grad = ["x"] }\nevent =',
        "attribute",
        "unknown attribute `grad`",
        "use",
    ),
    ("unknown-status", RULE, "event =", 'status = ["cp_plann"]\nevent =', "status", "unknown status `cp_plann`", "`cp_plan`"),
    (
        "unknown-finding",
        RULE,
        "event =",
        'finding = ["coersion"]\nevent =',
        "finding",
        "unknown finding `coersion`",
        "`coercion`",
    ),
    (
        "unknown-agreement",
        RULE,
        "event =",
        'agreement = { sevice = ["given"] }\nevent =',
        "agreement",
        "unknown agreement",
        "`service`",
    ),
    (
        "unknown-state",
        RULE,
        "event =",
        'agreement = { service = ["gven"] }\nevent =',
        "agreement",
        "`gven` is no state",
        "`given`",
    ),
    (
        "withholds-nothing",
        WITHHOLD,
        'categories = ["narrative"]\n',
        "",
        "effect",
        "a withhold that keeps nothing back",
        "say `categ",
    ),
    ("protection-ends", WITHHOLD, "event =", 'protection = ["safe_address"]\nevent =', "", "", ""),
    (
        "consent-only",
        WITHHOLD,
        "event =",
        'agreement = { consent = ["refused"] }\nevent =',
        "agreement",
        "withholds on refused consent even where significant harm is likely",
        'finding = ["significant_harm"]',
    ),
    ("reserved", RULE, '"local-rule"', '"expired"', "id =", "kept for a built-in reason", "choose another id"),
    ("bad-date", RULE, "review_by = 2027-01-01", 'review_by = "soon"', "review_by", "`review_by` cannot be read", "date"),
]


@pytest.mark.parametrize("case", FAULTS, ids=[one[0] for one in FAULTS])
def test_a_fault_is_found_with_its_line_and_remedy(folder, case):
    name, rule, old, new, place, what, remedy = case
    text = changed(rule, old, new)
    if name == "protection-ends":
        text, place = changed(text, "owner", "in_force_to = 2030-01-01\nowner"), "in_force_to"
        what, remedy = "a protection never lapses by date", "take `in_force_to` out"

    found = [fault for fault in with_rule(folder, text) if what in fault.what]
    assert found, [str(fault) for fault in check(folder, TODAY).faults]
    assert remedy in found[0].remedy
    assert found[0].file == "local.toml"
    assert found[0].line == line_of(text, place)


def test_a_consent_withhold_that_significant_harm_lifts_is_fit(folder):
    text = changed(WITHHOLD, "event =", 'agreement = { consent = ["refused"] }\nevent =')
    text += '[[rule.unless]]\nfinding = ["significant_harm"]\n'
    case = """
[[case]]
name = "refused"
why = "It is local."
event = "school.suspension"
child = { status = { cin = "home" } }
not_told = [{ who = "dsl@school", because = ["local-rule"] }]
"""

    assert [fault.what for fault in with_rule(folder, text, case)] == []


def test_all_faults_are_told_at_once(folder):
    text = changed(changed(RULE, '["gp"]', '["gpp"]'), "PUBLIC_TASK", "PUBLIC_TAKS")

    assert {fault.what for fault in with_rule(folder, text)} == {"unknown role `gpp`", "unknown basis `PUBLIC_TAKS`"}


def test_dates_the_wrong_way_round_are_told_once(folder):
    text = changed(RULE, "owner", "in_force_to = 2023-01-01\nowner")

    assert [fault.what for fault in with_rule(folder, text)] == ["it can never match: it ends before it begins, on 2024-01-01"]


def test_an_idle_rule_names_the_rule_that_makes_it_idle(folder):
    twin = RULE + changed(RULE, '"local-rule"', '"local-twin"')
    case = changed(CASE, '["local-rule"]', '["local-rule", "local-twin"]')

    assert [(fault.entry, fault.what) for fault in with_rule(folder, twin, case)] == [
        ("local-twin", "idle: `local-rule` says all that it says")
    ]


def test_a_disclosure_that_a_withhold_always_stops_is_a_fault(folder):
    keep = changed(changed(WITHHOLD, '"local-rule"', '"local-keep"'), '["narrative"]', '["everything"]')

    stopped = [one for one in with_rule(folder, RULE + keep) if "can never grant" in one.what]
    assert [(one.entry, one.what) for one in stopped] == [
        ("local-rule", "it can never grant anything: `local-keep` always withholds it")
    ]


def test_a_second_rule_of_one_id_names_the_place_of_the_first(folder):
    with_rule(folder, changed(RULE, '"local-rule"', '"suspension-to-social-worker"'))

    (fault,) = [one for one in check(folder, TODAY).faults if one.what == "a second rule with this id"]
    assert (fault.file, fault.remedy) == ("schools.toml", "rename it; the other is in local.toml:2")


def test_a_rule_without_a_case_is_a_fault(folder):
    assert [fault.what for fault in with_rule(folder, RULE, "")] == ["no case names it"]


def test_an_event_type_without_an_answer_is_a_fault(folder):
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(catalogue.read_text() + '\n[[event]]\nname = "school.trip"\nsays = "A trip"\n')

    assert [fault.what for fault in check(folder, TODAY).faults] == ["no rule tells anybody of it"]


@pytest.mark.parametrize(
    ("old", "new", "says", "remedy"),
    [
        ('warn_before = "20_minutes"', 'warn_before = "soon"', "`soon` is no length of time", "use N_minutes or N_hours"),
        ('next_after = "30_minutes"', 'next_after = "1_day"', "`1_day` is no length of time", "use N_minutes or N_hours"),
        ('next = "duty_team"', 'next = "dsl"', "`dsl` is no role that every area fills", "use one of duty_team, hub"),
        ('next = "duty_team"\n', "", "`next` and `next_after` belong together", "say both or neither"),
    ],
)
def test_a_clock_that_cannot_warn_or_go_on_is_a_fault(folder, old, new, says, remedy):
    text = (folder / "clocks.toml").read_text()
    (folder / "clocks.toml").write_text(text.replace(old, new, 1))

    (fault,) = check(folder, TODAY).faults
    assert (fault.file, fault.what.startswith(says), fault.remedy) == ("clocks.toml", True, remedy)


@pytest.mark.parametrize(
    ("old", "new", "says", "remedy"),
    [
        ('longest = "12_months"\n', "", "it may hold for ever", '`longest = "N_months"`'),
        ('longest = "12_months"', 'longest = "1200_months"', "`longest` cannot be read", "use N_months"),
        ('source = "local: as for significant harm"\n', "", "nothing says where its `longest` comes from", "say it in `source`"),
    ],
)
def test_a_finding_that_may_hold_without_end_or_for_no_reason_is_a_fault(folder, old, new, says, remedy):
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(changed(catalogue.read_text(), old, "\0").replace("\0", new, 1).replace("\0", old))

    (fault,) = check(folder, TODAY).faults
    assert fault.file == "catalogue.toml"
    assert says in fault.what
    assert remedy in fault.remedy


def test_a_role_without_an_answer_is_a_fault(folder):
    roles = folder / "roles.toml"
    roles.write_text(roles.read_text() + '\n[[role]]\nname = "mayor"\ntitle = "mayor"\nfilled_by = "area_team"\n')

    assert [(fault.entry, fault.what) for fault in check(folder, TODAY).faults] == [("mayor", "no rule names it")]


def test_text_that_is_no_toml_is_told_with_its_line(folder):
    (folder / "local.toml").write_text('[[rule]]\nid = "x\n')

    (fault,) = check(folder, TODAY).faults
    assert (fault.file, fault.line) == ("local.toml", 2)
    assert "not TOML" in fault.what


def test_a_case_with_an_unknown_key_or_event_is_a_fault(folder):
    assert with_rule(folder, RULE, changed(CASE, "why =", "wy ="))[0].file == "local.cases.toml"
    unknown = CASE + '\n[[case]]\nname = "x"\nwhy = "y"\nevent = "school.trip"\n'
    assert [fault.what for fault in with_rule(folder, RULE, unknown)] == ["unknown event type `school.trip`"]


def test_unverified_law_is_a_note_and_no_fault():
    report = check(POLICIES, TODAY)

    assert report.notes
    assert all("verified" in note.what for note in report.notes)


@pytest.mark.parametrize(
    ("old", "new", "says", "why"),
    [
        ('"identity"]', '"identity", "concern"]', "`gets` is `existence`, `identity`", "a category that is not granted"),
        ('["local-rule"]', '["another"]', "`because` is `local-rule`", "another reason"),
        ("gp@practice", "gp@other_practice", "not even a possible recipient", "another desk"),
        ("] }]", '], basis = "PUBLIC_TASK", gateway = "a law" }]', "`gateway` is `Children Act 2004 ss.10", "another gateway"),
        ("] }]", "], statutory = true }]", "`statutory` is `false`", "no statute demands it"),
        ('event = "school.suspension"', 'event = "school.permanent_exclusion"', "not even a possible", "another event"),
    ],
)
def test_a_case_that_is_wrong_fails_and_says_how(folder, old, new, says, why):
    with_rule(folder, RULE, changed(CASE, old, new))
    cases, _ = read_cases(folder)
    failures, _ = run_cases(load_policy(folder), [case for case in cases if case.file == "local.cases.toml"])

    assert any(says in failure.what for failure in failures), (why, [str(one) for one in failures])


def test_whoever_is_told_and_not_listed_fails_a_case(folder):
    with_rule(folder, RULE, '[[case]]\nname = "x"\nwhy = "y"\nevent = "school.suspension"\n')
    cases, _ = read_cases(folder)
    failures, _ = run_cases(load_policy(folder), [case for case in cases if case.file == "local.cases.toml"])

    assert [failure.what for failure in failures] == ["`gp@practice` is told `existence`, `identity` by `local-rule`"]


def test_a_release_is_the_same_policy_however_its_files_are_cut(folder):
    """I5: equal rules, equal bytes, equal digest."""
    rules = (folder / "police.toml").read_text()
    (folder / "police.toml").unlink()
    (folder / "a-new-name.toml").write_text(rules)

    assert policy_content(folder) == policy_content()
    again = policy_from_content(policy_content(folder))
    assert again == load_policy()
    assert again.digest == load_policy().digest


def test_a_changed_word_is_another_policy(folder):
    police = folder / "police.toml"
    police.write_text(police.read_text().replace("next school day, so that", "next school day so that"))

    assert load_policy(folder).digest != load_policy().digest


def test_an_unfit_folder_cannot_be_loaded(folder):
    (folder / "local.toml").write_text(changed(RULE, "owner", "ownr"))

    with pytest.raises(PolicyError, match=r"local.toml:9: `local-rule`: unknown key `ownr`: did you mean `owner`"):
        load_policy(folder)


def test_bytes_that_are_no_policy_are_refused():
    with pytest.raises(PolicyError, match="cannot be read"):
        policy_from_content(b"{}")


def test_every_disclosure_names_its_law_and_every_protection_speaks_to_everybody():
    for rule in load_policy().rules:
        assert rule.source
        assert rule.owner
        if rule.effect is Effect.DISCLOSE:
            assert rule.review_by is not None
        if rule.protects:
            assert not rule.to, "it is of nobody in particular"
            assert rule.in_force_to is None
