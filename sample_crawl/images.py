"""Encoded images: renditions of a picture, and files made to break a decoder."""

import io
import struct
import zlib

from PIL import Image

from sample_crawl import draw
from sample_crawl.material import Picture

LONG_SIDES = (448, 512, 576, 640, 720)
LOSSY_QUALITY = {"original": 84, "recode": 60, "resize": 80, "crop": 80}


def long_side(picture: Picture) -> int:
    """Return the pixels of the longer side: small drawings are not blown up."""
    if not picture.plain_background:
        return LONG_SIDES[-1]
    drawn = draw.choice(LONG_SIDES, "long side", picture.name)
    return max(400, min(drawn, round(1.3 * max(picture.image.size))))


def scale(image: Image.Image, side: int) -> Image.Image:
    """Return the image with its longer side `side` pixels long."""
    factor = side / max(image.size)
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def flatten(image: Image.Image) -> Image.Image:
    """Return the image on white, RGB."""
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")


def render(picture: Picture, edit: str, *names: object) -> Image.Image:
    """Return the rendition of a picture (RGB): original, recode, resize (0.6-0.8x) or crop (1-2%).

    `names` seed how much is resized or cropped.
    """
    image = flatten(scale(picture.image, long_side(picture)))
    if edit == "resize":
        return scale(image, round(max(image.size) * (0.6 + 0.2 * draw.unit("resize", *names))))
    if edit == "crop":
        share = [0.01 + 0.01 * draw.unit("crop", side, *names) for side in range(4)]
        width, height = image.size
        return image.crop(
            (
                round(share[0] * width),
                round(share[1] * height),
                round(width - share[2] * width),
                round(height - share[3] * height),
            )
        )
    return image


def encode(image: Image.Image, ext: str, edit: str = "original", **options: object) -> bytes:
    """Return the bytes of an image as webp, jpg or png, with fixed encoder settings."""
    settings: dict[str, dict[str, object]] = {
        "webp": {"format": "WEBP", "quality": LOSSY_QUALITY[edit], "method": 4},
        "jpg": {"format": "JPEG", "quality": LOSSY_QUALITY[edit], "subsampling": 2},
        "png": {"format": "PNG", "optimize": True},
    }
    file = io.BytesIO()
    image.save(file, **{**settings[ext], **options})  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def turned_jpeg(image: Image.Image) -> bytes:
    """Return a JPEG stored on its side, with EXIF orientation 6 to set it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(image.transpose(Image.Transpose.ROTATE_90), "jpg", exif=exif.tobytes())


def animation(image: Image.Image, frames: int) -> bytes:
    """Return a GIF of the image turning."""
    angles = (360 // frames // 4 * frame for frame in range(frames))
    turned = [image.rotate(angle, fillcolor="white").quantize(48) for angle in angles]
    file = io.BytesIO()
    turned[0].save(file, "GIF", save_all=True, append_images=turned[1:], duration=120, loop=0)
    return file.getvalue()


def strip(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the image repeated side by side on a strip of this size."""
    tile = scale(image, height) if image.height >= image.width else scale(image, width // 6)
    canvas = Image.new("RGB", (width, height), "white")
    for left in range(0, width, tile.width):
        canvas.paste(tile, (left, (height - tile.height) // 2))
    return canvas


def bomb(side: int) -> bytes:
    """Return a valid 1-bit PNG of side x side zeros: a small file, a huge bitmap."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    row = bytes(1 + -(-side // 8))
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks
