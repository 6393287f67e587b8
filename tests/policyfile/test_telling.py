"""R5: for how long it holds that a family cannot safely be told, and where that comes from, a policy has to say."""

from pathlib import Path

import pytest

from broker.policyfile.checks import check
from tests.policyfile.local_rule import TODAY

CONTROL = '[[event]]\nname = "control.told_family"\n'


@pytest.mark.parametrize(
    ("left_out", "said", "says", "remedy"),
    [
        ("longest", "", "may stand for ever: nobody looks at it again", '`longest = "N_months"`'),
        ("source", "", "nothing says where its `longest` comes from", "say it in `source`"),
        ("source", 'source = "[S550]"', "unknown source `[S550]`", "add a [[source]]"),
        ("control", 'nobody = "nobody"', "it ends nothing here", "take it out"),
    ],
)
def test_how_long_it_holds_is_said_and_from_where(folder: Path, left_out: str, said: str, says: str, remedy: str) -> None:
    catalogue = folder / "catalogue.toml"
    before, _, after = catalogue.read_text().partition(CONTROL)
    entry, end, rest = after.partition("\n[[event]]")
    assert f"{left_out} =" in entry
    lines = [one for one in entry.splitlines() if not one.startswith(f"{left_out} =")]
    kept = [one for one in lines if not (said and one.startswith(said.split(maxsplit=1)[0]))]
    catalogue.write_text(before + CONTROL + "\n".join((*kept, said)) + end + rest)

    (fault,) = check(folder, TODAY).faults
    assert fault.file == "catalogue.toml"
    assert says in fault.what
    assert remedy in fault.remedy
