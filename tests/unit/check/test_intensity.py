"""What is measured of samples, and what follows for `dataset.intensity`."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.pictures import photograph, png_16_bit, saved
from foldline.check import intensity
from foldline.check.intensity import (
    PERCENTILES,
    Channel,
    MeasuredImages,
    advice,
    channel_line,
    channels_of,
    counted_values,
    measure_images,
)
from foldline.images.options import DEFAULT, ImageOptions


def deep(seed: int, channels: int = 1) -> np.ndarray:
    return photograph(20, 30, channels=channels, seed=seed).astype(np.uint16) * 16


def measured(folder: Path, files: list[bytes], channels: tuple[str, ...] = ()) -> MeasuredImages:
    paths = [folder / f"{number}.png" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return measure_images([str(path) for path in paths], image_feature="image", channels=channels, reading=DEFAULT)


def channel(
    most: float, white: float | None = 65535, *, least: float = 0, whole: bool = True, tail: float = 0
) -> Channel:
    tail = tail or most
    return Channel("gray", 3, (16,), white, whole, least, most, (tail / 2, tail, tail))


@pytest.mark.parametrize("pending", [100, intensity.PENDING])
def test_percentiles_are_those_of_all_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pending: int) -> None:
    """Exact for whole numbers of 16 bits, however the counted values are merged."""
    monkeypatch.setattr(intensity, "PENDING", pending)
    pictures = [deep(seed, 3) for seed in range(5)]
    found = channels_of(measured(tmp_path, [png_16_bit(picture)]) for picture in pictures)
    assert [row.name for row in found] == ["red", "green", "blue"]
    for number, row in enumerate(found):
        samples = np.concatenate([picture[:, :, number].ravel() for picture in pictures])
        assert (row.images, row.bits, row.white, row.whole) == (5, (16,), 65535, True)
        assert (row.least, row.most) == (samples.min(), samples.max())
        assert row.percentiles == tuple(np.percentile(samples, PERCENTILES, method="inverted_cdf"))


@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "u4"])
def test_other_numbers_are_counted_within_1_in_32768(kind: str) -> None:
    samples = (np.random.default_rng(3).normal(size=(50, 40)) * 3000 + 9000).astype(kind)
    values, counts = counted_values(samples)
    assert counts.sum() == samples.size
    assert (np.diff(values) > 0).all()
    np.testing.assert_allclose(np.repeat(values, counts), np.sort(samples.ravel()), rtol=1 / 32768)


def test_images_of_8_bits_are_not_counted(tmp_path: Path) -> None:
    images = [png_16_bit(deep(1)), saved(photograph(20, 30), "PNG")]
    assert [row.images for row in channels_of(measured(tmp_path, [data]) for data in images)] == [1]
    assert channels_of([measured(tmp_path, images[1:])]) == []


def test_channels_have_their_names(tmp_path: Path) -> None:
    files = [png_16_bit(deep(1)), saved(photograph(20, 30, 1), "PNG"), png_16_bit(deep(2))]
    found = channels_of([measured(tmp_path, files, ("one", "two", "three"))])
    assert [(row.name, row.most) for row in found] == [("one", deep(1).max()), ("three", deep(2).max())]
    line = (
        f"one: 1 image with more than 8 bits (16 bits), samples from {deep(1).min()} to {deep(1).max()}, percentiles "
    )
    assert channel_line(found[0]).startswith(f"{line}50 %:")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (png_16_bit(deep(1))[:200], "truncated"),
        (png_16_bit(deep(1, 3)), "3 channels, not 1"),
    ],
    ids=["empty", "truncated", "color"],
)
def test_an_unusable_image_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    found = measured(tmp_path, [png_16_bit(deep(1)), data], ("one", "two"))
    assert found.channels == ()
    assert "1.png: " in found.problem
    assert words in found.problem


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    found = measure_images([str(tmp_path / "no.png")], image_feature="image", channels=(), reading=DEFAULT)
    assert "no.png: " in found.problem


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(png_16_bit(deep(1)) + bytes(9000))
    reading = ImageOptions(max_megapixels=0.001)
    found = measure_images([str(tmp_path / "large.png")], image_feature="image", channels=(), reading=reading)
    assert "dataset.max_megapixels allows" in found.problem


@pytest.mark.parametrize(
    ("found", "white", "line"),
    [
        (channel(4080), None, "  intensity: {bits: 12}"),
        (channel(4095), None, "  intensity: {bits: 12}"),
        (channel(4096), None, "  intensity: {bits: 13}"),
        (channel(1), None, "  intensity: {bits: 1}"),
        (channel(32767), None, "  intensity: {bits: 15}"),
        (channel(5000), 4095, "  intensity: {bits: 13}"),
        (channel(1e6, None), None, "  intensity: {bits: 20}"),
        (channel(1.0, None, whole=False), None, "  intensity: {max: 1}"),
        (channel(0.12345, None, whole=False), None, "  intensity: {max: 0.124}"),
        (channel(1234.5, 65535, whole=False), None, "  intensity: {max: 1240}"),
    ],
)
def test_the_lines_for_the_configuration(found: Channel, white: float | None, line: str) -> None:
    lines = advice([channel(0), found], white)
    assert lines[0].endswith("write into the configuration:")
    assert lines[1:] == ["dataset:", line]


@pytest.mark.parametrize(
    ("found", "white", "words"),
    [
        (channel(32768), None, "nothing to set: the largest sample is 32768, and 65535 is white"),
        (channel(4080), 4095, "nothing to set: the largest sample is 4080, and 4095 is white"),
        (channel(1000, 1000), None, "nothing to set: the largest sample is 1000, and 1000 is white"),
        (channel(0.9, None, whole=False), 1.0, "nothing to set: the largest sample is 0.9, and 1 is white"),
        (channel(0), None, "nothing to set: all samples are 0"),
        (channel(3000, least=-1024), None, "dataset.dicom_window to a window from -1024 to 3000"),
    ],
)
def test_what_needs_no_lines(found: Channel, white: float | None, words: str) -> None:
    (line,) = advice([found], white)
    assert words in line


def test_a_few_large_samples_are_pointed_out() -> None:
    assert (
        "99.9 % of the samples are at most 4000, so the images come out dark"
        in advice([channel(65535, tail=4000)], None)[-1]
    )
    assert advice([channel(4080, tail=100)], None)[2:-1] == ["  intensity: {bits: 12}"]
