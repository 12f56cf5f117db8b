"""How well the demo autoencoder gives back pictures that it never saw.

    python -m training.measure_vae --material DIR --weights dataproc_assets/models/weights \
        [--sheet PNG]

Measured are clip art of creators that took no part in training, and the sprites and backgrounds of
the novel, of which nothing did. A picture is cut to its bucket as the latents job does.
"""

import argparse
import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file

from dataproc_assets.config.releases import Buckets
from dataproc_assets.jobs.cut import cut, to_pixels, to_signed
from dataproc_assets.transforms.buckets import with_buckets
from training.material import clipart, flatten, novel

# The demo release's buckets, and those of a trainer at 512 x 512.
DEMO = Buckets(pixels=256**2, step=32, min_side=128, max_side=512)
LARGE = Buckets(pixels=512**2, step=64, min_side=256, max_side=1024)
DRAWINGS, DRAWINGS_AT_512 = 250, 50
SHORTER, DETAIL = 160, 128  # a crop of DETAIL of a picture whose shorter side is SHORTER
COLUMNS, TILE, LABEL = 6, 160, 18  # the sheet: pictures a row, and heights in pixels


def load(weights: Path) -> AutoencoderKL:
    """The network of `vae.json` and `vae.safetensors` in the folder, in float32 on the CPU."""
    model = AutoencoderKL.from_config(json.loads((weights / "vae.json").read_text()))
    assert isinstance(model, AutoencoderKL)
    tensors = load_file(weights / "vae.safetensors")
    model.load_state_dict({name: t.float() for name, t in tensors.items()})
    return model.eval()


def round_trip(model: AutoencoderKL, pixels: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3] encoded and decoded."""
    with torch.inference_mode():
        latents = model.encode(torch.from_numpy(to_signed(pixels[None]))).latent_dist.mode()  # type: ignore[union-attr]
        back = model.decode(latents).sample.clamp(-1, 1)  # type: ignore[union-attr]
    return to_pixels(back.numpy())[0]


def bucketed(path: Path, buckets: Buckets) -> np.ndarray:
    """uint8 [h, w, 3]: the picture on white, cut to its bucket."""
    image = flatten(path)
    sizes = pl.LazyFrame({"width": [image.width], "height": [image.height]})
    row = with_buckets(sizes, buckets).collect().row(0, named=True)
    return cut(image, row["bucket_width"], row["bucket_height"])[0]


def detail(path: Path) -> np.ndarray:
    """uint8 [128, 128, 3]: a window, drawn by hash, of the picture at a small scale."""
    image = flatten(path)
    scale = SHORTER / min(image.size)
    width, height = (round(n * scale) for n in image.size)
    resized = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
    digest = sha256(path.name.encode()).digest()
    left = digest[0] * (width - DETAIL) // 255
    top = digest[1] * (height - DETAIL) // 255
    return resized[top : top + DETAIL, left : left + DETAIL]


def psnrs(model: AutoencoderKL, pictures: list[np.ndarray]) -> dict[str, float]:
    """In dB: the mean, the 10% quantile, and that of the mean of all pictures' squared errors."""
    errors = np.array(
        [np.mean((x.astype(np.float64) - round_trip(model, x)) ** 2) / 255**2 for x in pictures]
    )
    values = -10 * np.log10(errors.clip(1e-10))
    return {
        "pictures": len(pictures),
        "mean": round(float(values.mean()), 2),
        "tenth": round(float(np.quantile(values, 0.1)), 2),
        "pooled": round(float(-10 * np.log10(errors.mean())), 2),
    }


def held_out(material: Path) -> dict[str, list[Path]]:
    """The pictures by kind, drawings in an order drawn by hash."""
    unseen = clipart(material).filter(fold="unseen")["path"].to_list()
    drawn = sorted(unseen, key=lambda path: sha256(path.encode()).digest())
    painted = novel(material)
    return {
        "drawings": [material / path for path in drawn],
        "sprites": [p for p in painted if p.suffix == ".png"],
        "backgrounds": [p for p in painted if p.suffix == ".jpg"],
    }


def vae_figures(material: Path, weights: Path) -> dict[str, dict[str, dict[str, float]]]:
    """PSNR in dB by view ("whole", "detail", "whole at 512") and kind of picture."""
    model, kinds = load(weights), held_out(material)
    figures: dict[str, dict[str, dict[str, float]]] = {
        "whole": {},
        "detail": {},
        "whole at 512": {},
    }
    for kind, paths in kinds.items():
        some = paths[:DRAWINGS]
        figures["whole"][kind] = psnrs(model, [bucketed(p, DEMO) for p in some])
        figures["detail"][kind] = psnrs(model, [detail(p) for p in some])
        few = paths[:DRAWINGS_AT_512]
        figures["whole at 512"][kind] = psnrs(model, [bucketed(p, LARGE) for p in few])
    return figures


def tile(pixels: np.ndarray) -> np.ndarray:
    """uint8 [TILE, TILE, 3]: the upper middle of a picture, unscaled, white where it ends."""
    left = max(0, (pixels.shape[1] - TILE) // 2)
    top = max(0, (pixels.shape[0] - TILE) // 8)
    part = pixels[top : top + TILE, left : left + TILE]
    canvas = np.full((TILE, TILE, 3), 255, np.uint8)
    canvas[: part.shape[0], : part.shape[1]] = part
    return canvas


def vae_sheet(material: Path, weights: Path, path: Path) -> None:
    """Write a PNG of originals above their reconstructions, at the demo release's scale."""
    model, kinds = load(weights), held_out(material)
    rows = [
        ("drawings by unseen creators", kinds["drawings"][:COLUMNS]),
        ("an unseen series", [*kinds["sprites"][2:6], *kinds["backgrounds"][2:4]]),
    ]
    height = 2 * (TILE + LABEL)
    sheet = Image.new("RGB", (COLUMNS * TILE, len(rows) * height), "white")
    write, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for row, (label, paths) in enumerate(rows):
        pictures = [bucketed(p, DEMO) for p in paths]
        versions = (("original", pictures), ("decoded", [round_trip(model, x) for x in pictures]))
        for line, (version, shown) in enumerate(versions):
            y = row * height + line * (TILE + LABEL)
            write.text((4, y + 1), f"{label}: {version}", "black", font)
            for column, pixels in enumerate(shown):
                sheet.paste(Image.fromarray(tile(pixels)), (column * TILE, y + LABEL))
    # Levels of 64 and not 256: a PNG of two thirds the bytes, and no difference that one sees.
    levels = np.rint(np.asarray(sheet) * (63 / 255)) * (255 / 63)
    Image.fromarray(levels.round().astype(np.uint8)).save(path, optimize=True)


def vae_table(figures: dict[str, dict[str, dict[str, float]]]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| PSNR in dB | pictures | mean | worst tenth below | of the mean error |",
        "|---|---|---|---|---|",
    ]
    for view, kinds in figures.items():
        for kind, its in kinds.items():
            values = " | ".join(f"{its[name]:.1f}" for name in ("mean", "tenth", "pooled"))
            lines.append(f"| {kind}, {view} | {its['pictures']} | {values} |")
    return "\n".join(lines)


def main() -> None:
    """Runs the command in the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--material", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(vae_table(vae_figures(asked.material, asked.weights)))
    if asked.sheet:
        vae_sheet(asked.material, asked.weights, asked.sheet)


if __name__ == "__main__":
    main()
