"""Ids of public data sets and usual numberings: those whose rows belong together, and those that are plain numbers."""

import random
import uuid
from collections.abc import Sequence

import pytest
from foldline.planning.group_ids import TRIED, parts_of_groups

RANDOM = random.Random(3)
LABELS = {"0", "1"}
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"


def numbered(pattern: str, groups: int, rows: int, start: int = 0) -> list[str]:
    """Ids of some groups with some rows each; {g} is the number of the group and {r} that of the row in it."""
    return [pattern.format(g=start + group, r=row) for group in range(groups) for row in range(rows)]


def words(count: int, length: int, letters: str) -> list[str]:
    return ["".join(RANDOM.choices(letters, k=length)) for _ in range(count)]


UUIDS = [str(uuid.UUID(int=RANDOM.getrandbits(128))) for _ in range(400)]
# Ids, and the number of groups that they name.
OF_GROUPS: dict[str, tuple[Sequence[str], int]] = {
    "words and numbers without separators": (numbered("Patient{g:03d}Slice{r}", 40, 5), 40),
    "few patients": (numbered("Patient{g:03d}Slice{r}", 5, 30), 5),
    "short words": (numbered("pat{g}_img{r}", 40, 4), 40),
    "letter, few patients": (numbered("P{g:02d}_{r}", 6, 30), 6),
    "letter, no separator": (numbered("S{g:02d}E{r}", 20, 4), 20),
    "mammography": ([f"P{g:04d}-{side}-{view}" for g in range(50) for side in "LR" for view in ("CC", "MLO")], 50),
    "words in folders": (numbered("case_{g}/img_{r}", 30, 4), 30),
    "CheXpert": (numbered("patient{g:05d}/study1/view{r}_frontal.jpg", 100, 2), 100),
    "ChestX-ray14": (numbered("{g:08d}_{r:03d}.png", 100, 3), 100),
    "eyes": ([f"{g}_{side}" for g in range(100) for side in ("left", "right")], 100),
    "eyes, side first": ([f"{side}_{g}" for g in range(100) for side in ("OD", "OS")], 100),
    "eyes, no separator": ([f"{g:04d}{side}" for g in range(100) for side in "LR"], 100),
    "TCGA": ([f"TCGA-{g % 9:02d}-{g:04d}-01Z-00-DX{r}" for g in range(40) for r in range(3)], 40),
    "BIDS": (numbered("sub-{g:02d}_ses-{r}_T1w", 20, 3), 20),
    "few animals": (numbered("mouse3{g}_slice{r}", 8, 20), 8),
    "plates": (numbered("plate{g}_B07_s{r}", 4, 30), 4),
    "wells": ([f"{row}{n:02d}_s{r}_w1" for row in "ABCDEFGH" for n in range(1, 13) for r in range(3)], 96),
    "frames of videos": (numbered("video_{g}_frame_{r:04d}", 12, 20), 12),
    "slices of volumes": (numbered("volume-{g}_slice-{r}", 12, 20), 12),
    "slices of unknown words": (numbered("Acq{g}Slice{r}", 30, 5), 30),
    "HAM10000 with lesions": ([f"HAM_{g:07d}_ISIC_{g * 2 + r:07d}" for g in range(100) for r in range(2)], 100),
    "pneumonia": (numbered("person{g}_virus_{r}", 60, 3), 60),
    "patient last": (numbered("img{r}_patient{g}", 60, 3), 60),
    "BreakHis": (numbered("SOB_B_A-14-{g}-40-{r:03d}", 60, 4, start=22549), 60),
    "Camelyon": (numbered("patient_{g:03d}_node_{r}", 40, 5), 40),
    "DICOM UIDs": ([f"1.3.6.1.4.{g}.{RANDOM.randrange(10**9)}" for g in range(100, 160) for _ in range(4)], 60),
    "folders of random names": ([f"{name}/{r}" for name in UUIDS[:50] for r in range(3)], 50),
    "some without a group": ([*numbered("patient{g}_{r}", 40, 5), *numbered("extra{r}", 1, 10)], 40),
    "more than are tried": (numbered("{g:06d}_{r}", TRIED, 2), TRIED),
}
PLAIN: dict[str, Sequence[str]] = {
    "ISIC": [f"ISIC_{RANDOM.randrange(10**7):07d}" for _ in range(400)],
    "ISIC 2019": [f"ISIC_{row:07d}_downsampled" for row in range(400)],
    "cameras": [f"IMG_{row:04d}" for row in range(400)],
    "other cameras": [f"DSC{row:05d}.JPG" for row in range(400)],
    "phones": [f"IMG_2019{1 + row % 12:02d}{1 + row % 28:02d}_{100000 + row * 37}" for row in range(400)],
    "messengers": [f"IMG-2019{1 + row % 12:02d}{1 + row % 28:02d}-WA{row:04d}" for row in range(400)],
    "times": [f"2019-{1 + row % 12:02d}-{1 + row % 28:02d}-{row % 24:02d}-{row % 60:02d}-{row}" for row in range(400)],
    "years": [f"{2000 + row % 15}_{row:06d}" for row in range(400)],
    "numbers": [f"{row:04d}" for row in range(400)],
    "random numbers": [str(RANDOM.randrange(10**9)) for _ in range(400)],
    "decimals": [f"{RANDOM.random():.6f}" for _ in range(400)],
    "UUIDs": UUIDS,
    "hexadecimal": [name.replace("-", "") for name in UUIDS],
    "short hexadecimal": [name[:8] for name in UUIDS],
    "random letters": words(2000, 6, LETTERS[:36]),
    "random letters and separators": words(2000, 11, LETTERS),
    "classes": [f"{name}.{row}" for name in ("cat", "dog") for row in range(200)],
    "folders of classes": [f"{name}/{row}" for name in ("sick", "well") for row in range(200)],
    "a few words": [f"{name}_{row}" for name in ("nuclei", "er", "mito") for row in range(100)],
    "a few sites": [f"site{row % 4}_{row}" for row in range(400)],
    "one row per patient": [f"patient{row}" for row in range(400)],
    "one row per case": [f"case_{row:03d}.nii" for row in range(400)],
    "one row per slide": [f"slide-{row}" for row in range(400)],
    "letters": [f"s{row}" for row in range(400)],
    "COCO": [f"COCO_train2014_{row:012d}" for row in range(400)],
    "brackets": [f"image ({row})" for row in range(400)],
    "sizes": [f"img_{row}_512x512" for row in range(400)],
    "frames of one video": [f"frame_{row:05d}" for row in range(400)],
    "masks": [f"{row}_mask" for row in range(400)],
}


@pytest.mark.parametrize("style", OF_GROUPS)
def test_ids_that_name_groups(style: str) -> None:
    ids, groups = OF_GROUPS[style]
    parts = parts_of_groups(ids, LABELS)
    assert len(set(parts) - {""}) == groups


@pytest.mark.parametrize("style", PLAIN)
def test_ids_that_name_nothing_but_rows(style: str) -> None:
    assert parts_of_groups(PLAIN[style], LABELS) == []


def test_parts_that_are_the_labels_are_no_groups() -> None:
    ids = numbered("s{g}_{r}", 12, 20)
    assert parts_of_groups(ids, LABELS)
    assert parts_of_groups(ids, {str(number) for number in range(12)}) == []
