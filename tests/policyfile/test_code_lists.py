"""What codes mean to people: every code that a connector emits under a list has words, and every list a source."""

import pytest

from broker.policyfile.code_lists import load_code_lists
from connectors.councils.cin_codes import CODES
from connectors.schools.census_rows import CATEGORIES, REASONS

OLD = frozenset({"8A"})  # of years whose list nobody here has seen: said as it stands

LISTS = [
    ("cin-assessment-factor", CODES["AssessmentFactors"] - OLD),
    ("cin-primary-need", CODES["PrimaryNeedCode"]),
    ("cin-reason-for-closure", CODES["ReasonForClosure"]),
    ("cin-referral-source", CODES["ReferralSource"]),
    ("cin-category-of-abuse", CODES["LatestCategoryOfAbuse"]),
    ("dfe-exclusion-reason", REASONS),
    ("dfe-exclusion-category", frozenset(code for _, code in CATEGORIES.values())),
]


@pytest.mark.parametrize(("scheme", "codes"), LISTS, ids=[one[0] for one in LISTS])
def test_every_code_that_may_come_has_words_and_no_other(scheme: str, codes: frozenset[str]) -> None:
    listed = load_code_lists()[scheme]

    assert set(listed.codes) == codes
    assert not [
        says
        for says in listed.codes.values()
        if not says or says != says.strip() or (says.isupper() and says not in {"GP", "A&E"})
    ]
    assert listed.of


def test_every_list_says_where_it_is_from() -> None:
    assert not [name for name, one in load_code_lists().items() if not one.source.startswith("DfE, ")]
