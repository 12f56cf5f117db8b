"""`dataproc diff`: what changed between two releases, or two states of a table."""

import click

from dataproc_assets.commands.lake import the_lake
from dataproc_assets.storage.lake import Lake


@click.command()
@click.argument("one")
@click.argument("other")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option("--page", is_flag=True, help="Write a page with pictures into the gallery.")
def diff(one: str, other: str, as_json: bool, page: bool) -> None:
    """Tell what changed from ONE to OTHER, two releases or two states of a table, and by what.

    Of releases, told are the settings that differ, the images added and removed with the reason
    of each, the images with other prompts by the part that differs, and the shares that shifted.
    A reason is the setting that, put back alone, undoes the change; it is found by judging
    today's tables by the settings of both releases, and no table changes.

    A table is named as [ROOT#]TABLE[/PARTITION][@STATE], such as prefiltered/pixiv@previous: ROOT
    is another storage root, STATE one that a versioned bucket keeps (previous, the beginning of a
    VersionId or digest, or a time). Told are what it was made of, rows added, removed and changed
    by column, and which values became which.
    """
    import json

    from dataproc_assets.diff.reasons import reasons
    from dataproc_assets.diff.releases import compare
    from dataproc_assets.diff.report import lines, values
    from dataproc_assets.diff.states import is_table
    from dataproc_assets.releases import UnknownRelease, published

    lake = the_lake()
    if is_table(lake, one) or is_table(lake, other):
        _tables(lake, one, other, as_json, page)
        return
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


def _tables(lake: Lake, one: str, other: str, as_json: bool, page: bool) -> None:
    import json

    from dataproc_assets.diff.states import UnknownTableState, find_state
    from dataproc_assets.diff.table_report import table_lines, table_values
    from dataproc_assets.diff.tables import compare_tables

    try:
        found = compare_tables(lake, find_state(lake, one), find_state(lake, other))
    except (UnknownTableState, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        text = json.dumps(table_values(found), ensure_ascii=False, indent=1, default=str)
        click.echo(text)
    else:
        click.echo("\n".join(table_lines(found)))
    if page:
        from dataproc_assets.diff.table_page import draw_table

        click.echo(f"page: {lake.store.uri(draw_table(lake, found))}", err=as_json)
