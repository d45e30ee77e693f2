"""Names of files that are no images which Foldline reads, by their first bytes: "it is a DICOM file" helps more than
"not a readable image".
"""

# Offset, bytes and name.
SIGNATURES = (
    (4, b"ftyp", "a video"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"\x5c\x01\0\0", "a NIfTI image"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a file with gzip compression"),
    (0, b"%PDF", "a PDF file"),
    (0, b"<!DOCTYPE", "a web page (the download failed)"),
    (0, b"<html", "a web page (the download failed)"),
    (0, b"<?xml", "an XML file"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"version https://git-lfs", "a pointer of Git LFS (run `git lfs pull`)"),
    (0, b"Pf", "a PNM image with float samples"),
    (0, b"PF", "a PNM image with float samples"),
    (0, b"II\xbc", "a JPEG XR image"),
    (0, b"qoif", "a QOI image"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"#?RADIANCE", "a Radiance image"),
    (0, b"#?RGBE", "a Radiance image"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"SIMPLE  =", "a FITS image"),
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
