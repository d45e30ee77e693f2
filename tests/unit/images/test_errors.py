"""No text of a file can make a message long, break its line or hide a part of it."""

import struct

import numpy as np
import pytest
from fixtures.dicom import dicom_file
from foldline.errors import file_text
from foldline.images.errors import UnusableImageError, damaged, with_remedy
from foldline.images.headers import read_header

HOSTILE = "x\n\r\x1b[2J\u202e\x00" + "y" * 3000


def npy(header: str) -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode("latin-1")


def pam(width: str, kind: str) -> bytes:
    sizes = f"WIDTH {width}\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\n"
    return f"P7\n{sizes}TUPLTYPE {kind}\nENDHDR\n".encode() + bytes(9)


def dicom(text: bytes, hostile: bytes, **elements: object) -> bytes:
    """A file in which a text is replaced by another of the same length."""
    data = dicom_file(np.zeros((8, 8), np.uint8), **elements)
    assert data.count(text) == 1
    assert len(text) == len(hostile)
    return data.replace(text, hostile)


WINDOW = {"WindowCenter": "3", "WindowWidth": "4", "VOILUTFunction": "SIGMOID"}
FILES = {
    "DICOM, transfer syntax": dicom(b"1.2.840.10008.1.2.1\0", b"1.2\n\x1b[2J\n3.4.5.6.78\0"),
    "DICOM, photometric": dicom(b"MONOCHROME2", b"MONO\n\x1b[2JE2"),
    "DICOM, window": dicom(b"SIGMOID", b"SIG\n\x1b[D", **WINDOW),
    "DICOM, modality": dicom(b"CTCTCT", b"C\n\x1b[2J", Modality="CTCTCT").replace(b"\xe0\x7f\x10\0", b"\xe0\x7f\x12\0"),
    "PAM, kind": pam("8", "A\r\x1b" + "B" * 3000),
    "PAM, width": pam("9" * 4000, "GRAYSCALE"),
    "npy, shape": npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({'9,' * 4000})}}"),
    "npy, side": npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({'9' * 4000}, {'9' * 4000})}}"),
    "npy, bits": npy(f"{{'descr': '<f{'9' * 5000}', 'fortran_order': False, 'shape': (3, 3)}}"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_refusal_has_one_short_line(kind: str) -> None:
    with pytest.raises(UnusableImageError) as raised:
        read_header(FILES[kind])
    message = str(raised.value)
    assert message.isprintable()
    assert len(message) < 200
    # It is refused for what is hostile in it.
    assert kind.partition(",")[0].removeprefix("np").lower()[:3] in message.lower() or "array" in message


def test_what_a_library_says_is_bounded() -> None:
    message = str(damaged(ValueError(HOSTILE)))
    assert message.startswith(r"damaged: x \x1b[2J\u202e\x00yyy")
    assert len(message) < 220


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe", "Größe"),
        ("a\nb", r"a\nb"),
        ("\udc80", r"\udc80"),
        ("a" * 9, "a" * 9),
        ("a" * 10, "aaaaaa..."),
        (7, "7"),
    ],
)
def test_text_of_a_file(text: object, shown: str) -> None:
    assert file_text(text, limit=9) == shown


def test_a_problem_that_names_a_key_is_no_reason_to_replace_the_file() -> None:
    assert with_remedy("2 pages; set dataset.page to 1") == "2 pages; set dataset.page to 1"
    assert with_remedy("empty file") == "empty file; repair or replace the file, or remove its row from the table"
