"""An independent policy engine, given the shipped rules in its own language, grants what we grant."""

import cedarpy
import pytest

from broker.policyfile import load_policy
from tests.benchmarks.cedar_rules import cedar_text
from tests.benchmarks.decide import check_agreement, questions, some_work
from tests.core.values import AT

pytestmark = pytest.mark.search


def test_cedar_grants_what_we_grant():
    policies = cedarpy.PolicySet.from_str(cedar_text(load_policy(), AT))

    check_agreement(questions(some_work()), policies, cedarpy.Entities.from_json_str("[]"))
