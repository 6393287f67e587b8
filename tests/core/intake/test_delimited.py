"""Rows of delimited text, and how far one that is broken reaches."""

import io

import pytest

from broker.core.intake.delimited import BadRow, rows_of


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("a,b\n1,2\n", [(1, ["a", "b"]), (2, ["1", "2"])], "plain"),
        ("a;b\r\n1;2\r\n", [(1, ["a", "b"]), (2, ["1", "2"])], "another separator, found in the first row"),
        ('a,b\n"1,1",2\n', [(1, ["a", "b"]), (2, ["1,1", "2"])], "a separator in a cell"),
        ('a,b\n"1\n1",2\n3,4\n', [(1, ["a", "b"]), (2, ["1\n1", "2"]), (4, ["3", "4"])], "a cell over two lines"),
        ('a,b\n"1,2\n3,4\n', [(1, ["a", "b"]), (2, BadRow.FORM), (3, ["3", "4"])], "a quotation mark that never ends"),
        ("a,b\n" + "x" * 200_000 + ",2\n3,4\n", [(1, ["a", "b"]), (2, BadRow.TOO_LONG), (3, ["3", "4"])], "a huge cell"),
        ("a,b\n1,2", [(1, ["a", "b"]), (2, ["1", "2"])], "no end of the last line"),
        ("", [], "nothing"),
    ],
)
def test_each_row_is_split_or_named_by_itself(text: str, expected: list[object], why: str) -> None:
    assert list(rows_of(io.StringIO(text, newline=""))) == expected, why
