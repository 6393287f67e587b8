"""What is refused before a connector reads it, and how text is opened."""

import io

import pytest

from broker.core.intake.delivery import Piece, check_readable, open_text, piece_from_bytes
from broker.core.model.identifiers import Digest
from broker.errors import DeliveryError, TooLargeError


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \r\n\t\n", "empty"),
        (b"\xef\xbb\xbf\n", "empty"),
        (b"PK\x03\x04...", "zip"),
        (b"\x1f\x8b\x08...", "gzip"),
        (b"%PDF-1.4", "PDF document: export the data again"),
        (b"MZ\x90\x00", "program: export the data again"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office"),
        (b"a,b\x00\n", "binary"),
    ],
)
def test_what_is_plainly_no_text_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(DeliveryError, match=words):
        check_readable(piece_from_bytes("f", content))


def test_a_file_over_the_limit_is_not_even_opened() -> None:
    def never() -> io.BytesIO:
        raise AssertionError("opened")

    with pytest.raises(TooLargeError, match="send it in parts"):
        check_readable(Piece("f", 101, Digest(""), never), limit=100)


@pytest.mark.parametrize(
    ("content", "encoding", "why"),
    [
        ("Zoë\n".encode(), "utf-8", "plain UTF-8"),
        ("Zoë\n".encode("utf-8-sig"), "utf-8-sig", "UTF-8 with its mark"),
        ("Zoë\n".encode("utf-16"), "utf-16", "UTF-16 by its mark"),
        ("Zoë\n".encode("cp1252"), "cp1252", "as older exports on Windows write"),
    ],
)
def test_text_is_opened_in_its_encoding(content: bytes, encoding: str, why: str) -> None:
    with open_text(piece_from_bytes("f", content)) as stream:
        assert (stream.read(), stream.encoding) == ("Zoë\n", encoding), why


def test_line_ends_are_kept_as_they_are() -> None:
    with open_text(piece_from_bytes("f", b"a\r\nb\n")) as stream:
        assert stream.read() == "a\r\nb\n"


@pytest.mark.parametrize("content", [b"a\x81b", "a\x00b".encode("utf-16")])
def test_text_in_no_known_encoding_is_refused(content: bytes) -> None:
    with pytest.raises(DeliveryError, match="encoding"):
        open_text(piece_from_bytes("f", content))
