"""What kohya's sd-scripts reads beside images: cached latents, captions, a dataset's TOML."""

import json
from io import BytesIO
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

SDXL = (4, 8, 0.13025)  # channels, pixels a latent along a side, scaling
CACHES = {SDXL: "_sdxl.npz", (4, 8, 0.18215): "_sd.npz"}
SDXL_STEP = 32  # sdxl_train*.py refuses buckets whose sides are no multiples of it
MARK = "|||"


def cache_suffix(latents: dict[str, Any]) -> str | None:
    """How the names of cached latents end, by a latents manifest's config.

    None where sd-scripts has no cache of such latents; what has the shape of SDXL's and is of
    another autoencoder, such as the demo's, has SDXL's names.
    """
    kind = (latents["channels"], latents["factor"], latents["scaling"])
    return CACHES.get(kind, CACHES[SDXL] if kind[:2] == SDXL[:2] else None)


def cautions(latents: dict[str, Any]) -> list[str]:
    """What a person must know before training on these latents, one line each."""
    kind = (latents["channels"], latents["factor"], latents["scaling"])
    said = []
    if cache_suffix(latents) is None:
        said.append(
            f"latents left out: sd-scripts has no cache for {kind[0]} channels at 1/{kind[1]} of "
            f"the size, as the VAE {latents['vae']!r} makes them; it encodes the images itself"
        )
    elif kind not in CACHES:
        said.append(
            f"the latents are of the VAE {latents['vae']!r}, not of SDXL's: sd-scripts reads them "
            "under SDXL's names, but only a model of that VAE can train on them; for SDXL, publish "
            "a release with latents: {vae: sdxl}, or unpack with --no-latents"
        )
    if latents["buckets"]["step"] % SDXL_STEP:
        said.append(
            f"the buckets' step is {latents['buckets']['step']}: the scripts for SDXL take "
            f"multiples of {SDXL_STEP} alone"
        )
    return said


def cache_name(stem: str, width: int, height: int, suffix: str) -> str:
    """`{stem}_{W:04d}x{H:04d}_sdxl.npz`, by the size of the original in pixels."""
    return f"{stem}_{width:04d}x{height:04d}{suffix}"


def cache_bytes(latent: np.ndarray, size: tuple[int, int], bucket: tuple[int, int]) -> bytes:
    """An npz of `latents` (float32, unscaled), `original_size` (int64) and `crop_ltrb` (float64).

    The same latent gives the same bytes: NumPy dates its members 1980.

    Args:
        latent: [channels, height / 8, width / 8], of any float type.
        size: width and height of the original in pixels.
        bucket: width and height of its bucket in pixels.
    """
    buffer = BytesIO()
    np.savez(
        buffer,
        latents=latent.astype(np.float32),
        original_size=np.array(size, dtype=np.int64),
        crop_ltrb=np.array(crop_ltrb(size, bucket), dtype=np.float64),
    )
    return buffer.getvalue()


def crop_ltrb(size: tuple[int, int], bucket: tuple[int, int]) -> tuple[float, float, float, float]:
    """The crop as sd-scripts writes it (`BucketManager.get_crop_ltrb`), in pixels of the bucket.

    It is not the window that was cut, which a release's own JSON has, but the place of the whole
    picture fitted into the bucket: SDXL is told `left` and `top`. What sd-scripts caches itself
    must not differ from what is unpacked, hence its formula.
    """
    ratio = size[0] / size[1]
    if bucket[0] / bucket[1] > ratio:
        width, height = bucket[1] * ratio, float(bucket[1])
    else:
        width, height = float(bucket[0]), bucket[0] / ratio
    left, top = (bucket[0] - width) // 2, (bucket[1] - height) // 2
    return left, top, left + width, top + height


def resolution(buckets: dict[str, int]) -> tuple[int, int]:
    """A width and height that give sd-scripts the same buckets, whatever the pixel budget.

    It takes the area alone, by whole tiles of step x step, and asks that both sides lie between
    the smallest and the largest of the buckets.
    """
    tile = buckets["step"] ** 2
    tiles = buckets["pixels"] // tile
    for width in range(isqrt(tiles * tile), buckets["min_side"] - 1, -1):
        height = -(-tiles * tile // width)
        if width * height // tile == tiles and height <= buckets["max_side"]:
            return width, height
    raise ValueError(f"sd-scripts cannot be told buckets of {buckets['pixels']} pixels")


def captions(entries: dict[str, dict[str, Any]]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The captions as sd-scripts must be given them, and the TOML's lines that go with them.

    Of several prompts it draws one with `enable_wildcard`, which gives braces a meaning, so they
    are doubled. Where every prompt has one or two `|||`, they hold what is kept at the front and
    at the end; sd-scripts takes them out only where it shuffles.
    """
    prompts = [line for entry in entries.values() for line in entry["caption"].split("\n")]
    lines = []
    if len(prompts) > len(entries):
        lines.append("enable_wildcard = true  # one of an image's prompts is drawn")
        entries = {
            name: {**entry, "caption": entry["caption"].replace("{", "{{").replace("}", "}}")}
            for name, entry in entries.items()
        }
    if has_marks(prompts):
        lines += ["shuffle_caption = true", f'keep_tokens_separator = "{MARK}"']
    return entries, lines


def has_marks(prompts: list[str]) -> bool:
    """Whether a recipe's prompts have the one or two marks that sd-scripts cuts a prompt at."""
    return bool(prompts) and all(0 < prompt.count(MARK) <= 2 for prompt in prompts)


def dataset_toml(
    about: str, images: Path, metadata: Path, latents: dict[str, Any] | None, lines: list[str]
) -> str:
    """A file for `--dataset_config`: one subset, and the buckets of the latents where given.

    Args:
        about: what it was made of, for a comment.
        images, metadata: absolute paths.
        latents: the config of a latents manifest.
        lines: of `captions`.
    """
    head = [f"# {about}", "", "[[datasets]]", "enable_bucket = true"]
    if latents:
        buckets = latents["buckets"]
        head += [
            f"resolution = {list(resolution(buckets))}",
            f"bucket_reso_steps = {buckets['step']}",
            f"min_bucket_reso = {buckets['min_side']}",
            f"max_bucket_reso = {buckets['max_side']}",
        ]
    else:
        head.append("# add `resolution = [1024, 1024]` or give --resolution: it has no default")
    places = [f"image_dir = {_quoted(images)}", f"metadata_file = {_quoted(metadata)}"]
    return "\n".join([*head, "", "[[datasets.subsets]]", *places, *lines]) + "\n"


def _quoted(path: Path) -> str:
    """A TOML string: JSON's escapes are TOML's, but for pairs of surrogates."""
    return json.dumps(str(path), ensure_ascii=False)
