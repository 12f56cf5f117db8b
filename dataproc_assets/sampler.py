"""Drawing from a prompt with the denoiser that was trained on a release."""

from functools import cached_property

import polars as pl
from PIL import Image

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.models.draw import draw, from_file, side_step
from dataproc_assets.models.vae import load_vae
from dataproc_assets.release.denoiser import WEIGHTS
from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.safety.matching import text_says, text_spelling
from dataproc_assets.safety.never import ADULT_RATINGS, ADULT_TAGS, CHILDREN, SEXUALISED_MINORS
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import denoiser_path, latents_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets.storage.withdrawn import present_name

Size = tuple[int, int]


class Sampler:
    """The denoiser of a release and the VAE that decodes what it draws.

    Args:
        store: the storage root.
        name: the release.
        safety: words that are not drawn, beside those of `safety/never.py`.

    Raises:
        FileNotFoundError: none was trained on a release of that name.
        ChangedFileError: its weights are not those that its manifest names.
        ValueError: they are of another version of the code.
        WeightsError: a file of the VAE is missing or another one.
    """

    def __init__(self, store: ObjectStore, name: str, safety: SafetyConfig) -> None:
        name = present_name(store, name)
        where = store.uri(denoiser_path(name))
        manifest = read_manifest(store, denoiser_path(name))
        if manifest is None:
            raise FileNotFoundError(
                f"{where}: no denoiser was trained on a release {name!r}; give the release a "
                "section 'denoiser' in its YAML, and `dataproc run`"
            )
        data = store.get(f"{manifest.root}/{WEIGHTS}")
        if bytes_digest(data) != manifest.files[WEIGHTS].sha256:
            raise ChangedFileError(
                f"{where}: {WEIGHTS} is not the file that was published; delete that folder, and "
                "`dataproc run`"
            )
        self.name, self._store, self._safety = name, store, safety
        self._model, self.about = from_file(data, f"{where}: {WEIGHTS}")
        self._vae = load_vae(self.about.vae)

    @cached_property
    def sizes(self) -> list[Size]:
        """The buckets of the latents, width and height in pixels, the one with most images first.

        Raises FileNotFoundError where the latents are gone.
        """
        latents = read_manifest(self._store, latents_path(self.name))
        if latents is None:
            where = self._store.uri(latents_path(self.name))
            raise FileNotFoundError(f"{where}: its latents are gone; give a size, such as 256x256")
        buckets = latents.counts["buckets"]
        names = sorted(buckets, key=lambda name: (-buckets[name], name))
        return [parse_size(name) for name in names]

    @property
    def side_step(self) -> int:
        """What the sides of a picture are multiples of, in pixels."""
        return side_step(self._model, self._vae)

    def draw(
        self,
        prompt: str,
        *,
        size: Size | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        seed: int = 0,
    ) -> Image.Image:
        """A picture; what is not given is as in the release's YAML, the size its commonest bucket.

        The same values give the same picture on the same kind of machine.

        Raises ValueError where the prompt asks for what is never released, or the sides are no
        multiples of `side_step`.
        """
        refuse(prompt, self._safety)
        config = self.about.denoiser
        pixels = draw(
            self._model,
            self._vae,
            prompt,
            size=size or self.sizes[0],
            guidance=config.guidance if guidance is None else guidance,
            steps=steps or config.sample_steps,
            seed=seed,
        )
        return Image.fromarray(pixels)


def parse_size(text: str) -> Size:
    """Width and height of `256x320`. Raises ValueError where it is of another form."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ValueError(f"{text!r} is no size; give width and height, such as 256x320")
    return int(width), int(height)


def refuse(prompt: str, safety: SafetyConfig) -> None:
    """Raise ValueError where a prompt asks for what is never released."""
    spelt = text_spelling(pl.col("prompt"))
    never = (*SEXUALISED_MINORS, *safety.never_tags, *safety.banned_words)
    child = text_says(spelt, (*CHILDREN, *safety.child_tags))
    adult = text_says(spelt, (*ADULT_TAGS, *ADULT_RATINGS))
    asked = text_says(spelt, never) | (child & adult)
    if pl.DataFrame({"prompt": [prompt]}).select(asked).item():
        raise ValueError("the prompt asks for what is never released; it is not drawn")
