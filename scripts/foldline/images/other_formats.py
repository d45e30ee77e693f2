"""Names of files that are no images which Foldline reads, by their first bytes: "it is a DICOM file" helps more than
"not a readable image".
"""

# Offset, bytes and name.
SIGNATURES = (
    (128, b"DICM", "a DICOM file"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftypavis", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftyphev", "a HEIC image"),
    (4, b"ftypmif1", "a HEIC image"),
    (4, b"ftypmsf1", "a HEIC image"),
    (4, b"ftyp", "a video"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"BM", "a BMP image"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"\x5c\x01\0\0", "a NIfTI image"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a file with gzip compression"),
    (0, b"%PDF", "a PDF file"),
    (0, b"<!DOCTYPE", "a web page; the download failed"),
    (0, b"<html", "a web page; the download failed"),
    (0, b"<?xml", "an XML file"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"version https://git-lfs", "a pointer of Git LFS; run `git lfs pull`"),
    *((0, b"P%d" % number, "a PNM image") for number in range(1, 8)),
)


def name_of_format(data: bytes) -> str:
    """What a file is, such as "a DICOM file"; "" if its first bytes are not known."""
    start = data[:160]
    if start.lstrip()[:1] == b"<":
        start = start.lstrip().lower()
    matches = (
        name
        for offset, mark, name in SIGNATURES
        if start[offset:].startswith(mark.lower() if mark.startswith(b"<") else mark)
    )
    return next(matches, "")
