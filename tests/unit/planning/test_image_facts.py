"""What the data index knows of images says how much memory a step needs."""

import pytest
from foldline.images.options import ImageOptions, decoded_mb
from foldline.planning.image_content import ImageContent
from foldline.planning.image_facts import ImageFacts
from foldline.planning.workflow_plan import WorkflowPlan

STATUS = (1, 2, 3, 4)


def facts(*images: tuple[str | None, int, int | None, int | None]) -> ImageFacts:
    """Facts of images by their format, size in bytes, width and height."""
    contents = [ImageContent("sha", "options", name, width, height) for name, _, width, height in images]
    sizes = [size for _, size, _, _ in images]
    return ImageFacts.of(["a"] * len(images), contents, sizes, [STATUS] * len(images))


def test_memory_follows_the_largest_image_of_each_format() -> None:
    small, large = ("JPEG", 900_000, 1000, 1000), ("JPEG", 2_000_000, 100_000, 60)
    assert facts(small, large).image_mb(ImageOptions(), 1) == decoded_mb("JPEG", 2_000_000, 6_000_000) == 100
    # A smaller picture of a format that needs more.
    assert facts(large, ("JXL", 0, 2000, 2000)).image_mb(ImageOptions(), 1) == 160
    # No image is decoded that needs more.
    assert facts(large).image_mb(ImageOptions(max_megapixels=6), 1) == 96


def test_memory_of_several_images_at_a_time() -> None:
    image = ("PNG", 1_000_000, 1000, 1000)
    assert facts(image, image, image).image_mb(ImageOptions(), 3) == decoded_mb("PNG", 1_000_000, 1_000_000) + 2 * 2
    # One file with 12 channels.
    assert facts(image).image_mb(ImageOptions(planes=12), 1) == decoded_mb("PNG", 1_000_000, 3_000_000)


@pytest.mark.parametrize("images", [[("PNG", 1, 1, 1), (None, 1, 1, 1)], []])
def test_memory_is_not_known_without_all_headers(images: list[tuple[str | None, int, int | None, int | None]]) -> None:
    assert facts(*images).image_mb(ImageOptions(), 1) is None


def test_the_plan_has_a_limit_for_unknown_images() -> None:
    plan = WorkflowPlan(image_mb={"train": 100.0, "test": 30.0, "old": None})
    assert plan.most_image_mb(["train", "test"], 2400) == 100
    assert plan.most_image_mb(["train", "old"], 2400) == 2400
    assert plan.most_image_mb(["new"], 2400) == plan.most_image_mb([], 2400) == 2400


def test_an_image_of_another_size_than_the_first_of_its_row_is_told() -> None:
    small, large, unknown = ("PNG", 1, 20, 30), ("PNG", 1, 40, 30), (None, 1, None, None)
    assert facts(small, small, large, large).wrong_channels("abcdef", 2) == {}
    assert facts(small, large, large).wrong_channels("abcdef", 1) == {}
    assert facts(small, unknown, unknown, large).wrong_channels("abcdef", 2) == {}
    found = facts(small, small, small, small, small, large).wrong_channels("abcdef", 3)
    assert found == {5: "40 x 30 pixels, but d has 20 x 30; channels of a sample have one size"}
