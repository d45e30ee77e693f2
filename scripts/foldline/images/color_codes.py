"""Colors that a file names by numbers of ITU-T H.273 (CICP), instead of an ICC profile."""

# sRGB, near it, or not said.
USUAL_PRIMARIES = (1, 2, 5, 6)
PRIMARIES = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
HDR = {16: "PQ", 18: "HLG"}


def other_colors(primaries: int, transfer: int) -> str:
    """Name of colors that differ from sRGB; "" for sRGB."""
    if transfer in HDR:
        return f"of high dynamic range ({HDR[transfer]})"
    return "" if primaries in USUAL_PRIMARIES else PRIMARIES.get(primaries, f"of the kind {primaries}")
