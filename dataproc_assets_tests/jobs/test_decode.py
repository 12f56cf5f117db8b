import hashlib
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dataproc_assets.jobs.decode import FORMATS, DecodeError, decode
from dataproc_assets_tests.jobs.pictures import WHITE, encode, gradient

RED, BLUE = (255, 0, 0), (0, 0, 255)


def pixel(data: bytes, x: int, y: int, config=WHITE) -> tuple[int, ...]:
    got = decode(data, config).image.getpixel((x, y))
    assert isinstance(got, tuple)
    return got


def near(got: tuple[int, ...], expected: tuple[int, ...], by: int = 3) -> bool:
    return all(abs(a - b) <= by for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_decodes(name: str) -> None:
    data = encode(gradient(), name)

    got = decode(data, WHITE)

    assert (got.width, got.height, got.format, got.frames) == (48, 32, name, 1)
    assert got.image.mode == "RGB"
    assert got.n_bytes == len(data)
    assert got.alpha_share == 0
    error = np.asarray(got.image, float) - np.asarray(gradient(), float)
    assert np.abs(error).mean() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_stands_the_picture_upright(orientation: int) -> None:
    # The corner that EXIF says is the upper left one is red, all else is blue.
    corners = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (0, 1), (1, 1), (1, 0)]
    stored = Image.new("RGB", (32, 16), BLUE)
    column, row = corners[orientation - 1]
    stored.paste(RED, (column * 16, row * 8, column * 16 + 16, row * 8 + 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored, "JPEG", exif=exif, quality=100, subsampling=0)

    got = decode(data, WHITE)

    assert (got.width, got.height) == ((32, 16) if orientation < 5 else (16, 32))
    assert got.image.size == (got.width, got.height)
    assert near(pixel(data, 2, 2), RED, 8)
    assert near(pixel(data, got.width - 3, got.height - 3), BLUE, 8)


def test_a_file_with_broken_exif_is_decoded_as_it_lies() -> None:
    data = encode(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")

    assert decode(data, WHITE).width == 48


def test_transparent_parts_show_the_background() -> None:
    image = Image.new("RGBA", (10, 10), (*RED, 255))
    image.paste((0, 0, 0, 0), (0, 0, 10, 5))
    image.putpixel((0, 9), (*RED, 128))
    data = encode(image, "PNG")

    assert decode(data, WHITE).alpha_share == pytest.approx(0.51)
    assert pixel(data, 0, 0) == (255, 255, 255)
    assert pixel(data, 5, 9) == RED
    assert near(pixel(data, 0, 9), (255, 127, 127), 1)
    grey = WHITE.model_copy(update={"background": [9, 8, 7]})
    assert pixel(data, 0, 0, grey) == (9, 8, 7)


def test_a_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (4, 2))
    image.putpalette([*RED, *BLUE])
    image.putpixel((3, 1), 1)
    data = encode(image, "PNG", transparency=0)

    assert pixel(data, 0, 0) == (255, 255, 255)
    assert pixel(data, 3, 1) == BLUE
    assert decode(data, WHITE).alpha_share == 7 / 8


def test_a_colour_key_is_transparency() -> None:
    image = Image.new("RGB", (2, 1), RED)
    image.putpixel((1, 0), BLUE)
    data = encode(image, "PNG", transparency=RED)

    assert [pixel(data, 0, 0), pixel(data, 1, 0)] == [(255, 255, 255), BLUE]


def test_sixteen_bits_keep_their_brightness() -> None:
    values = np.array([[0, 0x1234, 0x80FF, 0xFFFF]], np.uint16)
    data = encode(Image.fromarray(values), "PNG")

    assert [pixel(data, x, 0)[0] for x in range(4)] == [0, 0x12, 0x80, 0xFF]


def test_sixteen_bit_colour() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    row = b"\0" + struct.pack(">HHH", 0xFFFF, 0x8000, 0x00FF)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")

    assert pixel(data, 0, 0) == (255, 128, 0)


def test_floats_have_no_known_range() -> None:
    data = encode(Image.new("F", (4, 4), 0.5), "TIFF")

    with pytest.raises(DecodeError, match="broken: ValueError: unsupported mode F"):
        decode(data, WHITE)


def test_cmyk_becomes_rgb() -> None:
    data = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)

    assert near(pixel(data, 8, 8), RED, 4)


def test_bilevel_and_grey_become_rgb() -> None:
    assert pixel(encode(Image.new("1", (4, 4), 1), "PNG"), 0, 0) == (255, 255, 255)
    assert pixel(encode(Image.new("L", (4, 4), 77), "PNG"), 0, 0) == (77, 77, 77)
    grey_alpha = Image.new("LA", (4, 4), (77, 0))
    assert pixel(encode(grey_alpha, "PNG"), 0, 0) == (255, 255, 255)


def test_a_profile_is_applied() -> None:
    # A profile made of sRGB with its red and blue primaries exchanged: a decoder that
    # ignores profiles shows red where blue is meant.
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {
        bytes(profile[at : at + 4]): at
        for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12)
    }
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    swapped = bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    swapped = swapped.replace(b"sRGB built-in", b"swap built-in")

    plain = encode(Image.new("RGB", (4, 4), RED), "PNG")
    tagged = encode(Image.new("RGB", (4, 4), RED), "PNG", icc_profile=swapped)

    assert pixel(plain, 0, 0) == RED
    assert near(pixel(tagged, 0, 0), BLUE, 4)


def test_a_broken_profile_counts_as_none() -> None:
    data = encode(Image.new("RGB", (4, 4), RED), "PNG", icc_profile=b"no profile at all")

    assert pixel(data, 0, 0) == RED


def test_the_first_frame_of_an_animation_and_how_many_there_are() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE, (0, 255, 0))]
    for name in ("GIF", "WEBP", "PNG", "AVIF"):
        data = encode(frames[0], name, save_all=True, append_images=frames[1:], lossless=True)
        assert decode(data, WHITE).frames == 3, name
        assert near(pixel(data, 4, 4), RED, 6), name


def test_a_bomb_is_refused_from_its_header() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    # The picture's data are missing: a decoder that tried would say "truncated".
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")

    with pytest.raises(DecodeError) as failure:
        decode(data, WHITE)

    assert str(failure.value) == "too_many_pixels: 30000x30000"


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(DecodeError, match=r"^too_many_bytes: 1000001$"):
        decode(b"x" * 1_000_001, WHITE)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF"])
def test_a_cut_file_is_truncated(name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), name)

    with pytest.raises(DecodeError, match=r"^truncated$"):
        decode(data[: len(data) * 95 // 100], WHITE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html><body>404 Not Found</body></html>", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
        (b"RIFF\x04\0\0\0WEBP", "broken: its header cannot be read"),
        (b"GIF8", "broken: its header cannot be read"),
    ],
)
def test_what_is_no_image_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as failure:
        decode(data, WHITE)

    assert str(failure.value) == reason


def test_a_large_jpeg_comes_smaller_and_tells_its_full_size() -> None:
    data = encode(gradient(400, 240), "JPEG", quality=95)

    got = decode(data, WHITE, least_side=100)

    assert (got.width, got.height) == (400, 240)
    assert got.image.size == (200, 120)
    assert decode(data, WHITE, least_side=121).image.size == (400, 240)
    assert decode(data, WHITE).image.size == (400, 240)
    assert decode(encode(gradient(400, 240), "PNG"), WHITE, least_side=10).image.size == (400, 240)


@pytest.mark.parametrize("name", FORMATS)
def test_damage_raises_nothing_but_a_decode_error(name: str) -> None:
    data = encode(gradient(), name)
    generator = np.random.default_rng(7)
    for _ in range(60):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 6):
            damaged[place] = generator.integers(0, 256)
        try:
            decode(bytes(damaged), WHITE)
        except DecodeError as error:
            first, second = str(error), ""
            try:
                decode(bytes(damaged), WHITE)
            except DecodeError as again:
                second = str(again)
            assert first == second


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"GIF89a", b"II*\0", b"BM"]), st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_a_decode_error(start: bytes, rest: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(start + rest, WHITE)


def test_the_hashes_are_those_of_the_files_bytes() -> None:
    data = encode(gradient(), "PNG")
    got = decode(data, WHITE)

    assert got.sha256 == hashlib.sha256(data).hexdigest()
    assert got.md5 == hashlib.md5(data).hexdigest()
    assert Image.open(BytesIO(data)).size == (got.width, got.height)
