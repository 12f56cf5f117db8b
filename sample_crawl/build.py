"""Build the sample crawl from unpacked packages: `python -m sample_crawl.build FOLDER`."""

import shutil
from pathlib import Path

import click
import yaml

from sample_crawl import classes, material

HERE = Path(__file__).parent


def build(folder: Path, out: Path) -> dict[str, int]:
    """Write `crawl/` and `ground_truth.yaml` below `out`; return the images of each source.

    Raises FileNotFoundError when `folder` lacks one of the packages.
    """
    material.require(folder)
    picks = yaml.safe_load((HERE / "picks.yaml").read_text(encoding="utf-8"))
    crawl, truth = classes.fill(folder, picks)
    shutil.rmtree(out / "crawl", ignore_errors=True)
    crawl.write(out / "crawl")
    text = yaml.safe_dump(truth, sort_keys=False, allow_unicode=True, width=100)
    (out / "ground_truth.yaml").write_text(text, encoding="utf-8")
    stored = [item.source for item in crawl.items.values() if item.data]
    return {source: stored.count(source) for source in sorted(set(stored))}


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--fetch", is_flag=True, help="download the packages into FOLDER first (apt-get)")
@click.option("--out", type=click.Path(path_type=Path), default=HERE, help="where to write")
def main(folder: Path, fetch: bool, out: Path) -> None:
    """Build the sample crawl from the Debian packages unpacked in FOLDER."""
    if fetch:
        material.fetch(folder)
    for source, count in build(folder, out).items():
        click.echo(f"{source}: {count} images")


if __name__ == "__main__":
    main()
