"""Coded facts that several event types share: the policy lists which may carry them."""

import shutil
from datetime import date
from pathlib import Path

from broker.policyfile import POLICIES
from broker.policyfile.checks import check


def test_an_attribute_of_an_event_type_that_nobody_knows_is_a_fault(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(POLICIES, tmp_path / "policies"))
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(
        catalogue.read_text().replace('"council.s47.started", "council.icpc', '"council.s47.startd", "council.icpc')
    )

    (fault,) = check(folder, date(2026, 11, 10)).faults
    assert (fault.file, fault.entry, fault.what) == ("catalogue.toml", "history", "unknown event `council.s47.startd`")
    assert "council.s47.started" in fault.remedy


def test_a_value_that_an_attribute_does_not_have_is_a_fault(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(POLICIES, tmp_path / "policies"))
    protections = folder / "protections.toml"
    protections.write_text(protections.read_text().replace('history = ["yes"]', 'history = ["yess"]'))

    faults = [one for one in check(folder, date(2026, 11, 10)).faults if one.entry == "history-tells-nobody"]
    assert [(one.what, one.remedy) for one in faults] == [("`yess` is no value of attribute `history`", "did you mean `yes`?")]
