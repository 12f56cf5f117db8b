"""`dataproc sample`: drawing with the denoiser of a release."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataproc_assets.commands.lake import the_lake

if TYPE_CHECKING:
    from dataproc_assets.sampler import Sampler

PICTURES = (".jpeg", ".jpg", ".png", ".webp")


def _picture(_: click.Context, option: click.Parameter, path: Path) -> Path:
    """Whether it can be written is asked before it is drawn."""
    if path.suffix.lower() not in PICTURES:
        raise click.BadParameter(f"'{path}' ends with none of {', '.join(PICTURES)}", param=option)
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder '{path.parent}'", param=option)
    return path


@click.command()
@click.argument("name")
@click.option("--prompt", metavar="TEXT", help="What to draw, as the release's recipe writes it.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("sample.png"),
    show_default=True,
    callback=_picture,
    help="The picture, by its extension a PNG, JPEG or WebP.",
)
@click.option("--size", metavar="WxH", help="In pixels; by default that of most images.")
@click.option("--guidance", type=click.FloatRange(0), help="0 is without the prompt.")
@click.option("--steps", type=click.IntRange(1, 10_000), help="From noise to the picture.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the noise.")
@click.option("--ui", is_flag=True, help="Serve a page that draws, on this machine alone.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=7860,
    show_default=True,
    help="The page's port; 0 takes any free one.",
)
def sample(
    name: str,
    prompt: str | None,
    out: Path,
    size: str | None,
    guidance: float | None,
    steps: int | None,
    seed: int,
    ui: bool,
    port: int,
) -> None:
    """Draw with the denoiser that was trained on the release NAME.

    It is a small model that shows whether a release's latents and prompts are whole: do not
    expect it to draw well. What is not given is as in the release's YAML.
    """
    if ui == (prompt is not None):
        raise click.UsageError('give either --prompt "…" or --ui')
    from dataproc_assets.sampler import Sampler, parse_size

    try:
        lake = the_lake()
        sampler = Sampler(lake.store, name, lake.project.safety)
        if ui:
            _serve(sampler, port)
            return
        picture = sampler.draw(
            prompt or "",
            size=parse_size(size) if size else None,
            guidance=guidance,
            steps=steps,
            seed=seed,
        )
        picture.save(out)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{out}: {picture.width}x{picture.height}")


def _serve(sampler: "Sampler", port: int) -> None:
    from dataproc_assets.sample_page import HOST, GradioMissingError, sample_page, serve

    try:
        page = sample_page(sampler)
        url = serve(page, port)
    except GradioMissingError as error:
        raise click.ClickException(str(error)) from None
    except OSError:  # gradio tells of its own settings, which are not this command's
        raise click.ClickException(f"{HOST}:{port} is taken; choose another --port") from None
    click.echo(f"drawing with the denoiser of {sampler.name}: {url}")
    page.block_thread()
