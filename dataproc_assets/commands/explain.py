"""`dataproc explain`: why an image is where it is."""

import click

from dataproc_assets.commands.lake import the_lake


@click.command()
@click.argument("asked", metavar="IMAGE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list, for programs.")
def explain(asked: str, as_json: bool) -> None:
    """Tell the whole way of an image: from its address to its tokens in each recipe.

    IMAGE is a key (danbooru/123, pixiv/123_p0), a post (pixiv/123), an image_id, a SHA-256 or MD5
    of the file, or the URL of a post or of its file. Told are the record as crawled, the scores
    and the models that gave them, every rule with what it saw, the cluster with the evidence for
    each edge, every merged field with the values that lost, the prompts with what the budget cut,
    what safety says, and the releases and shards that hold it. Of an image that a never rule
    holds back, only names and rules are told.
    """
    import json

    from dataproc_assets.explain.explain import explain as answers
    from dataproc_assets.explain.subject import UnknownImage, find_subject
    from dataproc_assets.explain.text import text

    lake = the_lake()
    try:
        found = answers(lake, find_subject(lake, asked))
    except UnknownImage as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1, default=str))
        return
    click.echo("\n\n".join(text(answer) for answer in found))
