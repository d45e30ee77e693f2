"""Images inside a TensorFlow graph: those of the shards, from files of any size, or an error that names the reason."""

import itertools
import struct
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
from fixtures.pictures import photograph, png_16_bit, png_chunk, saved
from foldline.images.options import DEFAULT, IGNORE, ImageOptions
from foldline.images.resizing import ASPECTS, encode_jpeg, record_image
from foldline.inference.encoded_header import USUAL_SRGB
from foldline.inference.serving_images import ServingImages, serving_image
from foldline.input_pipeline.decode import decode_image
from foldline.runtime.tensorflow import tf
from PIL import Image

SIZE = 48
# Display P3, with a gamma.
WIDE = imagecodecs.cms_profile(
    "rgb",
    whitepoint=[0.3127, 0.3290, 1.0],
    primaries=[0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0],
    gamma=2.2,
)
XMP = b'http://ns.adobe.com/xap/1.0/\0<rdf:Description tiff:Orientation="%d" note="\xff\xfe"/>'


def server(
    aspect: str = "stretch", *, size: int = SIZE, quality: int = 95, reading: ImageOptions = DEFAULT
) -> Callable[[bytes], np.ndarray]:
    """The compiled function of RGB images."""
    config = ServingImages(aspect, quality, reading)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.string)])
    def serve(data: tf.Tensor) -> tf.Tensor:
        return serving_image([data], tf.constant(3), image_size=size, channels=(), config=config)

    return lambda data: serve(tf.constant(data)).numpy()


@pytest.fixture(scope="module", autouse=True)
def seeded() -> None:
    """Nothing is drawn here, and a new seed for each test makes TensorFlow optimize the shared graphs again."""


@pytest.fixture(scope="module")
def serve() -> Callable[[bytes], np.ndarray]:
    return server()


def wanted(data: bytes, aspect: str = "stretch", *, size: int = SIZE, reading: ImageOptions = DEFAULT) -> np.ndarray:
    """What a network reads from the shards."""
    record = record_image(data, reading, size=size, aspect=aspect, jpeg_quality=95)
    return decode_image([tf.constant(record)], size, channels=3).numpy()


def assert_equal_pixels(found: np.ndarray, expected: np.ndarray, case: object = "") -> None:
    """Equal, but for means halfway between two levels, which the JPEG file spreads over a block."""
    assert found.shape == expected.shape, case
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 6, case
    assert (difference > 0).mean() <= 0.1, case
    assert difference.mean() <= 0.1, case


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x010F] = "maker"
    block[0x0112] = orientation
    return block.tobytes()


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG file with another segment behind its first mark."""
    return data[:2] + b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body + data[2:]


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG file with another chunk behind its header."""
    return data[:33] + png_chunk(kind, body) + data[33:]


SHAPES = {
    (331, 203): "long",
    (90, 403): "wide",
    (20, 30): "small",
    (12, 200): "flat",
    (2 * SIZE, 2 * SIZE): "halved",
    (8 * SIZE + 1, 8 * SIZE + 3): "nearly an eighth",
    (3, 5): "tiny",
    (SIZE, 100): "one side fits",
}


@pytest.mark.parametrize("aspect", ASPECTS)
def test_any_size_and_orientation_become_the_image_of_the_shards(aspect: str) -> None:
    """Orientations of reduced JPEG files too, which end within a pixel: 411 / 4 is 102.75."""
    serve = server(aspect)
    cases = {}
    for shape, channels in itertools.product(SHAPES, (1, 3)):
        pixels = photograph(*shape, channels)
        cases[f"JPEG, {channels}, {SHAPES[shape]}"] = saved(pixels, "JPEG", quality=93)
        cases[f"PNG, {channels}, {SHAPES[shape]}"] = saved(pixels, "PNG")
    for number in range(1, 9):
        pixels = photograph(411, 307)
        plain = saved(pixels, "JPEG", quality=95)
        cases[f"JPEG, EXIF {number}"] = saved(pixels, "JPEG", quality=95, exif=exif(number))
        cases[f"PNG, EXIF {number}"] = saved(pixels, "PNG", exif=exif(number))
        cases[f"JPEG, XMP {number}"] = with_segment(plain, 0xE1, XMP % number)
        assert number == 1 or (wanted(plain, aspect) != wanted(cases[f"JPEG, XMP {number}"], aspect)).any()
    for case, data in cases.items():
        assert_equal_pixels(serve(data), wanted(data, aspect), case)


def test_kinds_of_jpeg(serve: Callable[[bytes], np.ndarray]) -> None:
    for options in ({"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"comment": b"x"}):
        data = saved(photograph(300, 500), "JPEG", **options)
        assert_equal_pixels(serve(data), wanted(data), options)
        filled = data[:2] + b"\xff\xff" + data[2:]
        assert_equal_pixels(serve(filled), wanted(filled), options)


def test_a_file_of_the_right_size_is_not_encoded_again(serve: Callable[[bytes], np.ndarray]) -> None:
    pixels = photograph(SIZE, SIZE)
    np.testing.assert_array_equal(serve(saved(pixels, "PNG")), pixels)
    jpeg = encode_jpeg(pixels, quality=60)
    np.testing.assert_array_equal(serve(jpeg), wanted(jpeg))
    turned = saved(pixels, "PNG", exif=exif(3))
    assert (wanted(turned) != pixels[::-1, ::-1]).any()
    np.testing.assert_array_equal(serve(turned), wanted(turned))


def pngs() -> dict[str, bytes]:
    pixels, alpha = photograph(70, 50), np.random.default_rng(0).integers(0, 256, (70, 50, 1), dtype=np.uint8)
    gray = pixels[:, :, :1]
    palette = Image.fromarray(pixels).quantize(40)
    deep = np.random.default_rng(1).integers(0, 65536, (70, 50, 4)).astype(np.uint16)
    return {
        "gray and alpha": saved(Image.fromarray(np.concatenate([gray, alpha], axis=2), "LA"), "PNG"),
        "RGB and alpha": saved(np.concatenate([pixels, alpha], axis=2), "PNG"),
        "palette": saved(palette, "PNG"),
        "palette with alpha": saved(palette, "PNG", transparency=bytes(range(40))),
        "1 bit": saved(Image.fromarray(gray.squeeze()).convert("1"), "PNG"),
        "a text": with_chunk(saved(pixels, "PNG"), b"tEXt", b"Comment\0tiff:Orientation=3"),
        **{f"16 bits, {count} samples": png_16_bit(deep[:, :, :count]) for count in (1, 2, 3, 4)},
    }


def test_kinds_of_png(serve: Callable[[bytes], np.ndarray]) -> None:
    for case, data in pngs().items():
        assert_equal_pixels(serve(data), wanted(data), case)


def test_profiles_are_refused_where_the_shards_would_apply_them(serve: Callable[[bytes], np.ndarray]) -> None:
    """The usual one of sRGB changes nothing, and so does none on gray pixels."""
    ignored = server(reading=ImageOptions(color_profile=IGNORE))
    for name, channels in itertools.product(("JPEG", "PNG"), (1, 3)):
        pixels = photograph(60, 70, channels)
        wide = saved(pixels, name, icc_profile=WIDE)
        usual = saved(pixels, name, icc_profile=USUAL_SRGB + bytes(range(200)))
        assert_equal_pixels(serve(usual), wanted(usual), name)
        assert_equal_pixels(ignored(wide), wanted(wide, reading=ImageOptions(color_profile=IGNORE)), name)
        if channels == 1:
            assert_equal_pixels(serve(wide), wanted(wide), name)
            continue
        assert (wanted(wide) != wanted(usual)).any()
        with pytest.raises(tf.errors.InvalidArgumentError, match="a color profile, which an exported model does not"):
            serve(wide)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a color profile, which an exported model does not"):
        serve(with_chunk(saved(photograph(60, 70), "PNG"), b"cICP", bytes([9, 16, 0, 1])))


def test_intensity_is_that_of_the_shards() -> None:
    reading = ImageOptions(white=4095)
    samples = np.random.default_rng(1).integers(0, 4096, (70, 50, 1)).astype(np.uint16)
    serve = server(reading=reading)
    assert_equal_pixels(serve(png_16_bit(samples)), wanted(png_16_bit(samples), reading=reading))
    samples[3, 3] = 5000
    with pytest.raises(tf.errors.InvalidArgumentError, match="a sample of 5000; samples are from 0 to 4095"):
        serve(png_16_bit(samples))


def refused() -> dict[str, tuple[bytes, str]]:
    pixels = photograph(60, 70)
    jpeg, png = saved(pixels, "JPEG"), saved(pixels, "PNG")
    start = jpeg.index(b"\xff\xc0")
    xmp = b'XML:com.adobe.xmp\0%c\0\0\0tiff:Orientation="%d"'

    def frame(offset: int, value: int) -> bytes:
        return jpeg[: start + offset] + bytes([value]) + jpeg[start + offset + 1 :]

    return {
        "WebP": (saved(pixels, "WEBP"), "not a JPEG or PNG; save it as a JPEG or PNG of 8 bits"),
        "TIFF": (saved(pixels, "TIFF"), "not a JPEG or PNG"),
        "nothing": (b"", "not a JPEG or PNG"),
        "CMYK": (saved(Image.fromarray(pixels).convert("CMYK"), "JPEG"), "a CMYK JPEG; save it .* in RGB"),
        "12 bits": (frame(4, 12), "a JPEG of 12 bits"),
        "lossless": (frame(1, 0xC3), "a lossless, hierarchical or arithmetically coded JPEG"),
        "arithmetic": (frame(1, 0xC9), "a lossless, hierarchical or arithmetically coded JPEG"),
        "JPEG-LS": (frame(1, 0xF7), "a lossless, hierarchical or arithmetically coded JPEG"),
        "sampling": (frame(11, 0x31), "unusual JPEG chroma sampling"),
        "two frames": (with_segment(jpeg, 0xC1, bytes(15)), "damaged: the JPEG file has two frames"),
        "no frame": (jpeg[:2] + jpeg[jpeg.index(b"\xff\xda") :], "damaged: the JPEG file has no frame"),
        "junk": (jpeg[:2] + b"junk" + jpeg[2:], "bytes between JPEG markers"),
        "cut in the header": (jpeg[:60], "damaged: the JPEG file is truncated"),
        "PNG cut": (png[:-9], "damaged: the PNG file is truncated"),
        "transparent color": (saved(pixels, "PNG", transparency=(1, 2, 3)), "a PNG with one transparent color"),
        "animated": (with_chunk(png, b"acTL", struct.pack(">II", 2, 0)), "animated"),
        "turned by XMP": (with_chunk(png, b"iTXt", xmp % (0, 6)), "an orientation, or EXIF data, in a text"),
        "packed XMP": (with_chunk(png, b"iTXt", xmp % (1, 1)), "an orientation, or EXIF data, in a text"),
        "EXIF text": (
            with_chunk(png, b"zTXt", b"Raw profile type exif\0\0x"),
            "an orientation, or EXIF data, in a text",
        ),
        "bomb": (frame(5, 255), r"more than 1 megapixels \(dataset.max_megapixels\)"),
    }


def test_what_the_graph_cannot_do_is_refused_by_name() -> None:
    strict = server(reading=ImageOptions(max_megapixels=1))
    for data, message in refused().values():
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"image: image 3 of the batch: {message}"):
            strict(data)


def test_a_truncated_jpeg_is_refused(serve: Callable[[bytes], np.ndarray]) -> None:
    data = saved(photograph(60, 70), "JPEG")
    with pytest.raises(tf.errors.InvalidArgumentError):
        serve(data[: len(data) // 2])


def test_channels_are_gray_and_of_one_size() -> None:
    config = ServingImages("stretch", 95)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([2], tf.string)])
    def serve(data: tf.Tensor) -> tf.Tensor:
        files = tf.unstack(data)
        return serving_image(files, tf.constant(0), image_size=SIZE, channels=("red", "green"), config=config)

    gray, other, color = (saved(photograph(60, *rest), "PNG") for rest in ((70, 1), (71, 1), (70, 3)))
    found = serve(tf.constant([gray, gray])).numpy()
    expected = wanted(gray)[:, :, :1]
    assert_equal_pixels(found, np.concatenate([expected, expected], axis=2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="green: image 0 of the batch: not of the size of the oth"):
        serve(tf.constant([gray, other]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="green: image 0 of the batch: a color image, but the ima"):
        serve(tf.constant([gray, color]))
