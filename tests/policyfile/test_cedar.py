"""An independent policy engine, given the shipped rules in its own language, grants what we grant."""

from dataclasses import replace

import cedarpy
import pytest

from broker.core.model.event import Category, SharingMode
from broker.policyfile import load_policy
from tests.benchmarks.cedar_rules import cedar_text
from tests.benchmarks.decide import check_agreement, questions, some_work
from tests.core.values import AT

pytestmark = pytest.mark.search


def test_cedar_grants_what_we_grant():
    policies = cedarpy.PolicySet.from_str(cedar_text(load_policy(), AT))

    check_agreement(questions(some_work()), policies, cedarpy.Entities.from_json_str("[]"))


def test_cedar_grants_what_we_grant_where_publishers_share_existence_only():
    policies = cedarpy.PolicySet.from_str(cedar_text(load_policy(), AT))
    work = [
        (replace(event, header=replace(event.header, sharing_mode=SharingMode.EXISTENCE)), facts) for event, facts in some_work()
    ]
    asked = questions(work)

    assert {category for _, one in asked for category in one.granted} == {Category.EXISTENCE, Category.IDENTITY}
    check_agreement(asked, policies, cedarpy.Entities.from_json_str("[]"))
