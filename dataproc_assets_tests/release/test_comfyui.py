import json

import polars as pl
import pytest

from dataproc_assets.config.project import CONF
from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.config.releases import Buckets
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.release.comfyui import Ask, ask, graph, to_api, to_workflow

TIERS = ["masterpiece", "best", "great", "good", "normal", "low", "worst"]
GRID = Buckets(pixels=1024 * 1024, step=64, min_side=512, max_side=2048)
# what each node takes and gives, as ComfyUI's nodes.py declares it: inputs, then widgets
DECLARED = {
    "CheckpointLoaderSimple": ({}, ["ckpt_name"], ["MODEL", "CLIP", "VAE"]),
    "CLIPTextEncode": ({"clip": "CLIP"}, ["text"], ["CONDITIONING"]),
    "EmptyLatentImage": ({}, ["width", "height", "batch_size"], ["LATENT"]),
    "KSampler": (
        {
            "model": "MODEL",
            "positive": "CONDITIONING",
            "negative": "CONDITIONING",
            "latent_image": "LATENT",
        },
        ["seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"],
        ["LATENT"],
    ),
    "VAEDecode": ({"samples": "LATENT", "vae": "VAE"}, [], ["IMAGE"]),
    "SaveImage": ({"images": "IMAGE"}, ["filename_prefix"], []),
}
ASK = Ask("1girl, saber (fate), :{", "worst quality (x)", 832, 1216)


def recipe(name: str) -> RecipeConfig:
    return read_yaml(CONF / "recipes" / f"{name}.yaml", RecipeConfig)


def train(*rows: tuple[str, int, int, str, str | None, str]) -> pl.DataFrame:
    names = ["image_id", "width", "height", "rating", "tier", "prompt"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame.with_columns(
        prompts__noobai=pl.concat_list("prompt"), tier=pl.col("tier").cast(pl.String)
    )


def asked(frame: pl.DataFrame, config: RecipeConfig | None = None) -> Ask:
    return ask(frame, "noobai", config=config, latents=None, buckets=GRID, tiers=TIERS)


def test_the_commonest_bucket_and_its_best_image_speak():
    frame = train(
        ("1", 1000, 1000, "general", "masterpiece", "a square"),
        ("2", 800, 1200, "explicit", "masterpiece", "not this"),
        ("3", 800, 1200, "general", "good", "nor this"),
        ("4", 840, 1210, "general", "best", "this"),
        ("5", 840, 1210, "general", None, "untold"),
    )
    found = asked(frame)
    assert (found.positive, found.negative) == ("this", "")
    assert (found.width, found.height) == (832, 1216)
    assert asked(frame.reverse()) == found


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("1girl ||| solo, sky ||| safe", "1girl, solo, sky, safe"),
        (" ||| solo ||| ", "solo"),
        ("a ||| b ||| c ||| d", "a ||| b ||| c ||| d"),
    ],
)
def test_the_marks_that_a_trainer_takes_out_are_not_asked_for(prompt: str, shown: str):
    assert asked(train(("1", 8, 8, "general", None, prompt))).positive == shown


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("animagine4", "low score, bad score"),
        ("illustrious", "worst quality, bad quality"),
        ("kohaku", "worst quality, low quality"),
        ("noobai", "worst quality"),
        ("caption", ""),
    ],
)
def test_what_is_not_wanted_are_the_recipe_s_words_for_poor_images(name: str, words: str):
    frame = train(("1", 8, 8, "general", None, "a"))
    assert asked(frame, recipe(name)).negative == words


def test_the_api_s_prompt_has_what_each_node_declares():
    nodes = to_api(graph(ASK, "my (1).safetensors", "demo"))
    assert json.loads(json.dumps(nodes)) == nodes
    kinds = [node["class_type"] for node in nodes.values()]
    assert sorted(kinds) == sorted([*DECLARED, "CLIPTextEncode"])
    for node in nodes.values():
        inputs, widgets, _ = DECLARED[node["class_type"]]
        assert sorted(node["inputs"]) == sorted([*inputs, *widgets])
        for name, kind in inputs.items():
            origin, slot = node["inputs"][name]
            assert DECLARED[nodes[origin]["class_type"]][2][slot] == kind
    sampler = next(n for n in nodes.values() if n["class_type"] == "KSampler")["inputs"]
    assert nodes[sampler["positive"][0]]["inputs"]["text"] == r"1girl, saber \(fate\), :{"
    assert nodes[sampler["negative"][0]]["inputs"]["text"] == r"worst quality \(x\)"
    size = nodes[sampler["latent_image"][0]]["inputs"]
    assert (size["width"], size["height"]) == (832, 1216)
    assert nodes[sampler["model"][0]]["inputs"]["ckpt_name"] == "my (1).safetensors"


def test_the_page_s_workflow_is_the_same_graph():
    listed = graph(ASK, "my.safetensors", "demo")
    flow, api = to_workflow(listed), to_api(listed)
    assert json.loads(json.dumps(flow)) == flow
    nodes = {node["id"]: node for node in flow["nodes"]}
    links = {link[0]: link for link in flow["links"]}
    assert len(nodes) == len(flow["nodes"]) and flow["last_node_id"] == max(nodes)
    assert len(links) == len(flow["links"]) and flow["last_link_id"] == max(links)
    assert flow["version"] == 0.4
    used = set()
    for number, origin, slot, target, place, kind in links.values():
        given, taken = nodes[origin]["outputs"][slot], nodes[target]["inputs"][place]
        assert given["type"] == taken["type"] == kind
        assert number in given["links"] and taken["link"] == number
        assert api[str(target)]["inputs"][taken["name"]] == [str(origin), slot]
        used.add((target, taken["name"]))
    assert used == {(n["id"], i["name"]) for n in nodes.values() for i in n["inputs"]}
    orders = [node["order"] for node in flow["nodes"]]
    assert sorted(orders) == list(range(len(orders)))
    for node in nodes.values():
        inputs, widgets, outputs = DECLARED[node["type"]]
        assert [i["name"] for i in node["inputs"]] == list(inputs)
        assert [o["name"] for o in node["outputs"]] == outputs
        values = list(node["widgets_values"])
        if node["type"] == "KSampler":
            assert values.pop(1) == "fixed"  # the page's own: what becomes of the seed
        told = api[str(node["id"])]["inputs"]
        if node["type"] != "CLIPTextEncode":
            assert values == [told[name] for name in widgets]
        assert all(link in links for o in node["outputs"] for link in o["links"])
    assert nodes[2]["widgets_values"] == [r"1girl, saber \(fate\), :\{"]
