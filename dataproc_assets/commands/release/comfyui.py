"""`dataproc release comfyui`: a workflow that asks a model as a release taught it."""

import json

import click

from dataproc_assets.commands.lake import the_lake
from dataproc_assets.commands.release.named import releases_named


@click.command("comfyui")
@click.argument("name")
@click.option("--recipe", metavar="R", help="Whose prompts; by default the release's first recipe.")
@click.option(
    "--checkpoint",
    metavar="FILE",
    default="model.safetensors",
    show_default=True,
    help="A file of ComfyUI's models/checkpoints: what was trained on the release.",
)
@click.option(
    "--api", is_flag=True, help="Write what ComfyUI's /prompt takes, not what its page opens."
)
def comfyui(name: str, recipe: str | None, checkpoint: str, api: bool) -> None:
    """Print a ComfyUI workflow that asks a model as a release's recipe taught it.

    The prompt is that of a good image of the release's commonest bucket, whose size it draws; what
    is not wanted are the recipe's words for its worst images.
    """
    from dataproc_assets.release.comfyui import ask, graph, to_api, to_workflow
    from dataproc_assets.release.manifest import read_manifest
    from dataproc_assets.release.publish import read_train
    from dataproc_assets.storage.layout import latents_path

    store, (manifest,) = releases_named((name,))
    recipes = manifest.config["recipes"]
    chosen = recipe or recipes[0]
    if chosen not in recipes:
        raise click.BadParameter(
            f"'{chosen}' is none of {', '.join(recipes)}", param_hint="--recipe"
        )
    project = the_lake().project
    augment = project.curation.augment
    asked = ask(
        read_train(store, name),
        chosen,
        config=project.recipes.get(chosen),
        latents=read_manifest(store, latents_path(manifest.name)),
        buckets=augment.buckets,
        tiers=[cut.name for cut in augment.tiers.cuts],
    )
    nodes = graph(asked, checkpoint, name)
    text = json.dumps(to_api(nodes) if api else to_workflow(nodes), ensure_ascii=False, indent=2)
    click.echo(text)
