"""Colors that a file names by numbers of ITU-T H.273 (CICP), instead of an ICC profile."""

# sRGB, near it, or not said.
USUAL_PRIMARIES = (1, 2, 5, 6)
PRIMARIES = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
HDR = {16: "PQ", 18: "HLG"}


def other_colors(primaries: int, transfer: int, *, full_range: bool = True) -> str:
    """Name of colors that differ from sRGB; "" for sRGB.

    Args:
        primaries: number of the primaries.
        transfer: number of the transfer function.
        full_range: whether samples have the full range, or the decoder converts them to it.
    """
    if not full_range:
        return "in a narrow range (of 0 to 255, black is 16 and white 235)"
    if transfer in HDR:
        return f"of high dynamic range ({HDR[transfer]})"
    return "" if primaries in USUAL_PRIMARIES else PRIMARIES.get(primaries, f"of the kind {primaries}")
