"""`dataproc what-if`: what a changed setting would give."""

import click

from dataproc_assets.commands.lake import the_lake

SHOWN = 20  # keys of a move in JSON


@click.command("what-if")
@click.argument("settings", metavar="SETTING...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list, for programs.")
@click.option("--page", is_flag=True, help="Write a page with pictures into the gallery.")
def what_if(settings: tuple[str, ...], as_json: bool, page: bool) -> None:
    """Tell what changed settings would give, each alone and all together, without a run.

    SETTING is place.name=value: prefiltered.clip_score=1.0 (a rule, or the column it reads),
    dedup.cosine=0.96, augmented.tiers.min_group=3, images.tag_confidence_min=0.5,
    trust.pixiv.tags=0.6, prompts.animagine4.token_budget=60. The stages that need no model and
    no crawl are made again beside the tables, which stay as they are.
    """
    import json

    from dataproc_assets.config.override import OverrideError
    from dataproc_assets.what_if.changes import changes
    from dataproc_assets.what_if.engine import StaleTables, outcomes
    from dataproc_assets.what_if.fates import fates
    from dataproc_assets.what_if.text import lines

    lake = the_lake()
    try:
        found = outcomes(lake, settings, lambda line: click.echo(line, err=True), pictures=page)
    except OverrideError as error:
        raise click.BadParameter(str(error), param_hint="SETTING") from None
    except StaleTables as error:
        raise click.ClickException(str(error)) from None
    now = fates(lake)
    told = [(outcome, changes(now, outcome.fates)) for outcome in found]
    if as_json:
        rows = [
            {"settings": one.settings, "made": one.made, "without": one.without, **c.to_json(SHOWN)}
            for one, c in told
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        click.echo("\n\n".join("\n".join(lines(*pair)) for pair in told))
    if page:
        from dataproc_assets.what_if.page import draw

        click.echo(f"page: {lake.store.uri(draw(lake, told))}", err=as_json)
