"""What others wrote acts on nothing where it is laid out, and nothing of it is dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.account.harmless import acts, hanging, lines_of, one_line

BIDI = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("code", [*BIDI, *(one for one in CONTROLS if one != 9 and chr(one) not in BREAKS)])
def test_a_sign_that_acts_is_shown_as_its_code(code: int) -> None:
    assert one_line(f"a{chr(code)}b") == f"a\\u{{{code:x}}}b"
    assert acts(f"a{chr(code)}b")


@pytest.mark.parametrize("mark", BREAKS)
def test_whatever_a_reader_may_take_for_the_end_of_a_line_is_one(mark: str) -> None:
    assert lines_of(f"a{mark}b") == ["a", "b"]
    assert one_line(f"a{mark}b") == "a b"
    assert hanging(f"a{mark}b", "    ") == "a\n    b"


@pytest.mark.parametrize("text", ["Zoë O'Brien-Łuç", "شهد", "न\u200dत", "🏴\U000e0067\U000e007f", "  in\u00adward", ""])
def test_what_people_write_stays_as_they_wrote_it(text: str) -> None:
    assert one_line(text) == text
    assert not acts(text)


@given(st.text())
def test_nothing_acts_any_more_and_nothing_is_made_twice_over(text: str) -> None:
    shown = one_line(text)

    assert not acts(shown)
    assert one_line(shown) == shown
    assert all(line.startswith("  ") for line in hanging(text, "  ").split("\n")[1:])
