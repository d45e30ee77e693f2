"""Names of files that are no images which Foldline reads, by their first bytes: "it is a PDF file" helps more than
"not an image".
"""

TEXT = "a text file"
# Offset, bytes and name.
SIGNATURES = (
    (0, b"\0\x08\0", "a big-endian DICOM file without preamble"),
    (4, b"ftypcrx", "a raw file of a camera"),
    (4, b"ftyp", "a video"),
    (0, b"RIFF", "a video or sound file (RIFF)"),
    (0, b"\x1a\x45\xdf\xa3", "a video"),
    (0, b"\0\0\1\xba", "a video"),
    (0, b"OggS", "a video or sound file (Ogg)"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"CDF\1", "a NetCDF file"),
    (0, b"CDF\2", "a NetCDF file"),
    (0, b"MATLAB 5.0", "a MATLAB file"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"\x5c\x01\0\0", "a NIfTI image"),
    (0, b"\x1c\x02\0\0", "a NIfTI image"),
    (0, b"NRRD", "an NRRD image"),
    (0, b"ObjectType", "a MetaImage header"),
    (0, b"ZISRAWFILE", "a CZI image of Zeiss"),
    (0, b"\xda\xce\xbe\x0a", "an ND2 image of Nikon"),
    (0, b"\x70\0\0\0", "a LIF image of Leica"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a file with gzip compression"),
    (0, b"BZh", "a file with bzip2 compression"),
    (0, b"\xfd7zXZ", "a file with xz compression"),
    (0, b"\x28\xb5\x2f\xfd", "a file with zstd compression"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"%PDF", "a PDF file"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"\xd0\xcf\x11\xe0", "an Office file"),
    (0, b"AT&TFORM", "a DjVu file"),
    (0, b"<!DOCTYPE svg", "an SVG drawing"),
    (0, b"<!DOCTYPE", "a web page (the download failed)"),
    (0, b"<html", "a web page (the download failed)"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an XML file"),
    (0, b"version https://git-lfs", "a pointer of Git LFS (run `git lfs pull`)"),
    (0, b"Pf", "a PNM image with float samples"),
    (0, b"PF", "a PNM image with float samples"),
    (0, b"II\xbc", "a JPEG XR image"),
    (0, b"FUJIFILM", "a raw file of a camera"),
    (0, b"IIRO", "a raw file of a camera"),
    (0, b"IIU\0", "a raw file of a camera"),
    (0, b"qoif", "a QOI image"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"icns", "an icon"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"\x01\xda", "an SGI image"),
    (0, b"\x59\xa6\x6a\x95", "a Sun raster image"),
    (0, b"/* XPM */", "an XPM image"),
    (0, b"\x8aMNG", "an MNG animation"),
    (0, b"\x8bJNG", "a JNG image"),
    (0, b"FORM", "an IFF file"),
    (0, b"gimp xcf", "a GIMP file"),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (0, b"#?RADIANCE", "a Radiance image"),
    (0, b"#?RGBE", "a Radiance image"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"SIMPLE  =", "a FITS image"),
    # Versions of PCX with run lengths.
    *((0, bytes([10, version, 1]), "a PCX image") for version in (0, 2, 3, 4, 5)),
)
TARGA_END = b"TRUEVISION-XFILE.\0"
# Kinds of a TGA file, bits of a pixel, and the place of both.
TARGA_KINDS, TARGA_BITS = (1, 2, 3, 9, 10, 11), (8, 15, 16, 24, 32)
# Bytes by which text is known.
MOST_START = 512


def name_of_format(data: bytes) -> str:
    """What a file is, such as "a PDF file"; "" if its first bytes are not known."""
    start = data[:MOST_START]
    if not data.strip(b"\0"):
        return "a file of zeros (a copy or download failed)"
    if start.lstrip()[:1] == b"<":
        start = start.lstrip().lower()
    matches = (
        name
        for offset, mark, name in SIGNATURES
        if start[offset:].startswith(mark.lower() if mark.startswith(b"<") else mark)
    )
    name = next(matches, "")
    if name == "an XML file" and b"<svg" in start:
        return "an SVG drawing"
    return name or ("a TGA image" if _is_targa(data) else TEXT if _is_text(start) else "")


def _is_targa(data: bytes) -> bool:
    """Whether a file is a TGA image, which has a mark at its end at most."""
    if data.endswith(TARGA_END):
        return True
    head = data[:18]
    # No color map or one, the kind, the origin, width and height that the file can hold, bits, and flags.
    return (
        len(head) == 18
        and head[1] in (0, 1)
        and head[2] in TARGA_KINDS
        and head[16] in TARGA_BITS
        and head[17] & 0xC0 == 0
        and min(head[12] + head[13], head[14] + head[15]) > 0
    )


def _is_text(start: bytes) -> bool:
    """Whether the start of a file is readable, such as that of a table."""
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        # A letter may be cut.
        if error.start < len(start) - 3 or len(start) < MOST_START:
            return False
        text = start[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter.isspace() for letter in text)
