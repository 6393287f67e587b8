"""A rule of an area's own and its case, added to the shipped policy, and the day on which that is checked."""

from datetime import date

TODAY = date(2026, 11, 22)
RULE = """
[[rule]]
id = "local-rule"
effect = "disclose"
because = "A local reason."
to = ["gp"]
share = ["existence", "identity"]
basis = "PUBLIC_TASK"
owner = "somebody"
source = "a statute"
verified = true
in_force_from = 2024-01-01
review_by = 2027-01-01
[rule.when]
event = ["school.suspension"]
"""
CASE = """
[[case]]
name = "a local case"
why = "It is local."
event = "school.suspension"
told = [{ who = "gp@practice", gets = ["existence", "identity"], because = ["local-rule"] }]
"""
