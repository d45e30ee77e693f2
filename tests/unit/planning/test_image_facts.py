"""What the data index knows of images says how much memory a step needs."""

import pytest
from foldline.images.options import SIDES, ImageOptions
from foldline.planning.image_content import ImageContent
from foldline.planning.image_facts import ImageFacts
from foldline.planning.workflow_plan import WorkflowPlan

STATUS = (1, 2, 3, 4)


def facts(*images: tuple[int, int, int, int | None, int]) -> ImageFacts:
    """Facts of images by size in bytes, width, height, and `fixed` and `scaled` of their memory."""
    contents = [
        ImageContent(
            *("sha", "options", "JPEG" if fixed is not None else None, width, height),
            decoding_bytes=fixed,
            scaled_bytes=scaled,
        )
        for _, width, height, fixed, scaled in images
    ]
    sizes = [size for size, *_ in images]
    return ImageFacts.of(["a"] * len(images), contents, sizes, [STATUS] * len(images))


def test_memory_follows_the_image_that_needs_most() -> None:
    small, large = (900_000, 1000, 1000, 4_000_000, 0), (2_000_000, 100_000, 60, 100_000_000, 0)
    assert facts(small, large).image_mb(ImageOptions(), 1) == [100] * (len(SIDES) + 1)
    # No image is decoded that needs more.
    assert facts(large).image_mb(ImageOptions(max_megapixels=6), 1) == [96] * (len(SIDES) + 1)


def test_memory_of_jpeg_files_follows_the_scale() -> None:
    assert SIDES == (256, 512, 1024, 2048)
    # An eighth of 3,000 rows leaves 375.
    jpeg = (2_000_000, 4000, 3000, 4_000_000, 3)
    assert facts(jpeg).image_mb(ImageOptions(), 1) == [4.5625, 6.25, 13, 40, 40]
    # Nothing is left of these rows at a reduced scale.
    assert facts((2_000_000, 12_000, 300, 0, 3)).image_mb(ImageOptions(), 1) == [10.8] * 5


def test_memory_of_several_images_at_a_time() -> None:
    image = (1_000_000, 1000, 1000, 9_000_000, 0)
    assert facts(image, image, image).image_mb(ImageOptions(), 3) == [9 + 2 * 2] * (len(SIDES) + 1)


@pytest.mark.parametrize("images", [[(1, 1, 1, 1, 0), (1, 1, 1, None, 0)], []])
def test_memory_is_not_known_without_all_headers(images: list[tuple[int, int, int, int | None, int]]) -> None:
    assert facts(*images).image_mb(ImageOptions(), 1) is None


def test_the_plan_has_a_limit_for_unknown_images() -> None:
    plan = WorkflowPlan(image_mb={"train": [10.0, 20, 30, 40, 100], "test": [30.0] * 5, "old": None})
    assert plan.most_image_mb(["train", "test"], 2400) == 100
    # Six bytes for each pixel of the picture that is made.
    assert plan.most_image_mb(["train"], 2400, side=160) == 10 + 0.1536
    assert plan.most_image_mb(["train"], 2400, side=1000) == 30 + 6
    assert plan.most_image_mb(["train"], 2400, side=3000) == 100 + 54
    assert plan.most_image_mb(["train", "old"], 2400) == 2400
    assert plan.most_image_mb(["new"], 2400) == plan.most_image_mb([], 2400) == 2400


def test_an_image_of_another_size_than_the_first_of_its_row_is_told() -> None:
    small, large, unknown = (1, 20, 30, 1, 0), (1, 40, 30, 1, 0), (1, None, None, None, 0)
    assert facts(small, small, large, large).wrong_channels("abcdef", [0, 0, 1, 1]) == {}
    assert facts(small, large, large).wrong_channels("abcdef", [0, 1, 2]) == {}
    assert facts(small, unknown, unknown, large).wrong_channels("abcdef", [0, 0, 1, 1]) == {}
    found = facts(small, small, small, small, small, large).wrong_channels("abcdef", [0, 0, 0, 1, 1, 1])
    assert found == {5: "40 x 30 pixels, but d has 20 x 30; channels of a sample have one size"}
    # Of the rows 0 and 1, one channel is missing.
    assert list(facts(large, small, small, large).wrong_channels("abcdef", [0, 1, 1, 2])) == []
