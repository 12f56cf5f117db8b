"""A ComfyUI workflow that asks a model as a release's recipe taught it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.config.releases import Buckets
from dataproc_assets.release.manifest import Manifest
from dataproc_assets.release.sd_scripts import MARK, has_marks
from dataproc_assets.transforms.buckets import with_buckets

# what ComfyUI's own first workflow has, but for SDXL: fewer, ancestral steps at a lower guidance
SAMPLING = [0, "fixed", 28, 5.0, "euler_ancestral", "normal", 1.0]
SAMPLING_NAMES = ["seed", None, "steps", "cfg", "sampler_name", "scheduler", "denoise"]
WORST = 3  # the words of the lowest third of a recipe's qualities are what is not wanted
Link = tuple[int, int]  # a node's id, and the slot of its outputs


@dataclass(frozen=True)
class Ask:
    """What a workflow asks for: prompts as the recipe writes them, and a size in pixels."""

    positive: str
    negative: str
    width: int
    height: int


@dataclass(frozen=True)
class Node:
    """A node: its widgets by name (None for one that no prompt of the API has) and its inputs."""

    kind: str
    title: str
    place: tuple[int, int]
    widgets: Sequence[tuple[str | None, Any]]
    inputs: dict[str, Link]


OUTPUTS = {
    "CheckpointLoaderSimple": ["MODEL", "CLIP", "VAE"],
    "CLIPTextEncode": ["CONDITIONING"],
    "EmptyLatentImage": ["LATENT"],
    "KSampler": ["LATENT"],
    "VAEDecode": ["IMAGE"],
    "SaveImage": [],
}
SIZE = {"CLIPTextEncode": [420, 180], "SaveImage": [420, 480]}


def ask(
    train: pl.DataFrame,
    recipe: str,
    *,
    config: RecipeConfig | None,
    latents: Manifest | None,
    buckets: Buckets,
    tiers: list[str],
) -> Ask:
    """The prompt of an image of the commonest bucket, best tier first, and what is not wanted.

    An image rated general is taken before any other.

    Args:
        train: a release's train table.
        config: the recipe, whose words for poor images are the negative prompt; None for none.
        latents: of the release; without them the buckets are those given.
        tiers: names of the quality tiers, the best first.
    """
    frame = train.lazy()
    if latents is not None:
        buckets = Buckets.model_validate(latents.config["buckets"])
    frame = with_buckets(frame, buckets).collect()
    sides = ["bucket_width", "bucket_height"]
    common = (
        frame.group_by(sides).len().sort(pl.col("len"), *sides, descending=[True, False, False])
    )
    width, height = common.select(sides).row(0)
    order = pl.col("tier").replace_strict(
        tiers, list(range(len(tiers))), default=len(tiers), return_dtype=pl.Int32
    )
    best = frame.filter(bucket_width=width, bucket_height=height).sort(
        pl.col("rating") != "general", order, "image_id", nulls_last=True
    )
    column = f"prompts__{recipe}"
    marked = has_marks(train[column].explode().to_list())
    return Ask(
        positive=_plain(best[column][0][0], marked),
        negative=_unwanted(config, tiers) if config else "",
        width=width,
        height=height,
    )


def _plain(prompt: str, marked: bool) -> str:
    """A prompt as a trainer shows it to the model: without the marks that it takes out."""
    if not marked:
        return prompt
    parts = [part.strip().strip(",") for part in prompt.split(MARK)]
    return ", ".join(part for part in parts if part)


def _unwanted(config: RecipeConfig, tiers: list[str]) -> str:
    if config.quality is not None:
        words = [cut.words for cut in config.quality.cuts]
    else:
        words = [config.tier_words[tier] for tier in tiers if tier in config.tier_words]
    lowest = words[len(words) - len(words) // WORST :]
    return config.separator.join(dict.fromkeys(reversed(lowest)))


def graph(asked: Ask, checkpoint: str, prefix: str) -> list[Node]:
    """The seven nodes; the id of each is its place in the list, from 1.

    Args:
        checkpoint: a file of ComfyUI's models/checkpoints.
        prefix: how the names of saved images begin.
    """
    sampling = list(zip(SAMPLING_NAMES, SAMPLING, strict=True))
    size = [("width", asked.width), ("height", asked.height), ("batch_size", 1)]
    loader, positive, negative, empty, sampler, decoder = 1, 2, 3, 4, 5, 6
    inputs = {
        "model": (loader, 0),
        "positive": (positive, 0),
        "negative": (negative, 0),
        "latent_image": (empty, 0),
    }
    decoding = {"samples": (sampler, 0), "vae": (loader, 2)}
    loading = [("ckpt_name", checkpoint)]
    saving = [("filename_prefix", prefix)]
    clip = {"clip": (loader, 1)}
    return [
        Node("CheckpointLoaderSimple", "Checkpoint", (20, 300), loading, {}),
        Node("CLIPTextEncode", "Prompt", (420, 60), [("text", asked.positive)], clip),
        Node("CLIPTextEncode", "Not wanted", (420, 300), [("text", asked.negative)], clip),
        Node("EmptyLatentImage", "Size", (420, 540), size, {}),
        Node("KSampler", "Sampler", (900, 60), sampling, inputs),
        Node("VAEDecode", "Decode", (1260, 60), [], decoding),
        Node("SaveImage", "Save", (1520, 60), saving, {"images": (decoder, 0)}),
    ]


def to_api(nodes: list[Node]) -> dict[str, Any]:
    """What ComfyUI's `/prompt` takes: nodes by id, with their values and where those come from."""
    return {
        str(number): {
            "class_type": node.kind,
            "inputs": {
                **{name: _escaped(name, value) for name, value in node.widgets if name},
                **{name: [str(link[0]), link[1]] for name, link in node.inputs.items()},
            },
            "_meta": {"title": node.title},
        }
        for number, node in enumerate(nodes, start=1)
    }


def to_workflow(nodes: list[Node]) -> dict[str, Any]:
    """What ComfyUI's page opens: nodes with places, and the links between them (format 0.4)."""
    links: list[list[Any]] = []
    for number, node in enumerate(nodes, start=1):
        for slot, link in enumerate(node.inputs.values()):
            kind = OUTPUTS[nodes[link[0] - 1].kind][link[1]]
            links.append([len(links) + 1, *link, number, slot, kind])
    return {
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": [_drawn(number, node, links) for number, node in enumerate(nodes, start=1)],
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def _drawn(number: int, node: Node, links: list[list[Any]]) -> dict[str, Any]:
    into = {link[4]: link for link in links if link[3] == number}
    return {
        "id": number,
        "type": node.kind,
        "title": node.title,
        "pos": list(node.place),
        "size": SIZE.get(node.kind, [320, 260]),
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": [
            {"name": name, "type": into[slot][5], "link": into[slot][0]}
            for slot, name in enumerate(node.inputs)
        ],
        "outputs": [
            {
                "name": kind,
                "type": kind,
                "slot_index": slot,
                "links": [link[0] for link in links if link[1:3] == [number, slot]],
            }
            for slot, kind in enumerate(OUTPUTS[node.kind])
        ],
        "properties": {"Node name for S&R": node.kind},
        "widgets_values": [_escaped(name, value, "(){}") for name, value in node.widgets],
    }


def _escaped(name: str | None, value: Any, signs: str = "()") -> Any:
    """A prompt whose brackets are brackets: ComfyUI weighs what stands in round ones.

    Its page, but not `/prompt`, also draws one of several words in braces.
    """
    if name != "text":
        return value
    return "".join(f"\\{sign}" if sign in signs else sign for sign in value)
