"""`dataproc diff`: what changed between two releases."""

import click

from dataproc_assets.commands.lake import the_lake


@click.command()
@click.argument("one")
@click.argument("other")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option("--page", is_flag=True, help="Write a page with pictures into the gallery.")
def diff(one: str, other: str, as_json: bool, page: bool) -> None:
    """Tell what changed from release ONE to release OTHER, and by what.

    Told are the settings that differ, the images added and removed with the reason of each, the
    images with other prompts by the part that differs, and the shares that shifted. A reason is
    the setting that, put back alone, undoes the change; it is found by judging today's tables by
    the settings of both releases, and no table changes.
    """
    import json

    from dataproc_assets.diff.reasons import reasons
    from dataproc_assets.diff.releases import compare
    from dataproc_assets.diff.report import lines, values
    from dataproc_assets.releases import UnknownRelease, published

    lake = the_lake()
    try:
        first, second = (published(lake.store, [name])[0] for name in (one, other))
    except UnknownRelease as error:
        raise click.BadParameter(str(error), param_hint="ONE and OTHER") from None
    found = compare(lake.store, first, second)
    by = reasons(lake, found, lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps(values(found, by), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(lines(found, by)))
    if page:
        from dataproc_assets.diff.page import draw

        click.echo(f"page: {lake.store.uri(draw(lake, found, by))}", err=as_json)
