"""What the catalogue, the ladder and the clocks may say."""

from datetime import date
from pathlib import Path

from broker.policyfile.checks import check

TODAY = date(2026, 11, 22)


def test_a_rung_of_the_ladder_that_carries_nothing_is_a_fault(folder: Path) -> None:
    emergencies = folder / "emergencies.toml"
    emergencies.write_text(emergencies.read_text().replace('basis = "EMERGENCY"', 'basis = "DUTY_16LA"'))

    assert [(fault.file, fault.entry, fault.what) for fault in check(folder, TODAY).faults] == [
        ("policy.toml", "EMERGENCY", "no rule stands on it")
    ]


def test_a_status_for_so_many_months_needs_a_length_that_can_be_counted(folder: Path) -> None:
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(catalogue.read_text().replace("12_months", "a_year", 1))

    (fault,) = check(folder, TODAY).faults
    assert (fault.file, fault.entry) == ("catalogue.toml", "council.cp_plan.ended")
    assert "N_months" in fault.remedy


def test_an_event_type_speaks_of_something_that_happens(folder: Path) -> None:
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(catalogue.read_text().replace('speaks_of = ["looked_after"]', 'speaks_of = ["loked_after"]', 1))

    (fault,) = check(folder, TODAY).faults
    assert (fault.file, fault.entry) == ("catalogue.toml", "council.placement.changed")
    assert "looked_after" in fault.remedy
