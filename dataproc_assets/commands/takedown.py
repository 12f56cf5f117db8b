"""`dataproc takedown`: what was asked to go, and carrying it out."""

from pathlib import Path

import click

from dataproc_assets.commands.lake import dagster_home, the_lake

SHOWN = 20  # images of one entry


@click.group()
def takedown() -> None:
    """Take images out of everything: tables, parts, clusters, the gallery, and releases.

    `add` enters what is asked into the ledger, `apply` carries it out. What the ledger names never
    comes back with a later crawl, also not as a copy on another platform.
    """


@takedown.command()
@click.argument("values", metavar="[IMAGE]...", nargs=-1)
@click.option(
    "--artist",
    "artists",
    metavar="ARTIST",
    multiple=True,
    help="All works of an artist: a name or tag, on all platforms, or pixiv/USER_ID.",
)
@click.option(
    "--file",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A CSV with a column value, url or artist, and perhaps kind, date and reason.",
)
@click.option("--reason", default="", help="Why, in a person's words; it stays in the ledger.")
@click.option("--date", "day", metavar="YYYY-MM-DD", help="When it was asked; today by default.")
@click.option(
    "--only",
    is_flag=True,
    help="The named posts alone: other platforms' copies stay, but for the very same file.",
)
def add(
    values: tuple[str, ...],
    artists: tuple[str, ...],
    files: tuple[Path, ...],
    reason: str,
    day: str | None,
    only: bool,
) -> None:
    """Enter images, posts or artists into the ledger, and tell what of the lake they mean.

    IMAGE is a key (danbooru/123, pixiv/123_p0), a post (pixiv/123), the URL of a post, the SHA-256
    or MD5 of a file, or an image_id. An entry also stands for what a later crawl brings.
    """
    from datetime import UTC, datetime

    from dataproc_assets.takedown.entries import (
        Asked,
        EntryError,
        read_csv,
        read_date,
        read_value,
        to_entries,
    )
    from dataproc_assets.takedown.spread import enter_all

    if not (values or artists or files):
        raise click.UsageError("name an image, or give --artist or --file")
    lake = the_lake()
    try:
        asked = Asked(read_date(day or datetime.now(UTC).date().isoformat()), reason)
        rows = [(*read_value(lake.project, value), asked.date, reason) for value in values]
        rows += [("artist", artist, asked.date, reason) for artist in artists]
        for path in files:
            rows += read_csv(lake.project, path, asked)
    except EntryError as error:
        raise click.ClickException(str(error)) from None
    found = enter_all(lake, to_entries(rows, only)).images
    click.echo(f"{len(rows)} entries, which mean {found.height} images of the lake")
    for key, why in found.select("image_key", "why").head(SHOWN).iter_rows():
        click.echo(f"  {key} ({why})")
    if found.height > SHOWN:
        click.echo(f"  and {found.height - SHOWN} more")
    click.echo("next: `dataproc takedown apply`, which takes them out of what is made already")


@takedown.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list, for programs.")
def list_entries(as_json: bool) -> None:
    """List what was asked, with what followed from it and whether it was carried out."""
    import json

    from dataproc_assets.takedown.listed import listed

    rows = listed(the_lake().store)
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    if not rows:
        click.echo("nothing is taken down")
    for row in rows:
        scope = ", copies may stay" if row["scope"] == "post" else ""
        told = f": {row['reason']}" if row["reason"] else ""
        click.echo(f"{row['id']}  {row['date']}  {row['kind']} {row['value']}{scope}{told}")
        follow = f", {row['follow']} entries follow" if row["follow"] else ""
        click.echo(f"  {row['applied'] or 'not applied yet: `dataproc takedown apply`'}{follow}")


@takedown.command()
@click.option(
    "--purge",
    "purging",
    is_flag=True,
    help="Rewrite published releases too, as NAME.1, and delete all old versions of objects.",
)
def apply(purging: bool) -> None:
    """Take what the ledger names out of everything that is made, and write a receipt.

    Published releases are told by a signed revocation, which their readers honour; it is signed
    with DATAPROC_TAKEDOWN_KEY (`dataproc takedown key` makes one). With --purge they are made
    anew without the images, and the old ones are deleted. The crawl itself is not touched: see
    `dataproc takedown crawl`.
    """
    home = dagster_home()
    lake = the_lake()
    from dataproc_assets.live import live
    from dataproc_assets.release.revocations import RevocationError
    from dataproc_assets.release.signing import SigningKeyError
    from dataproc_assets.run import RunFailed
    from dataproc_assets.takedown.apply import apply_on
    from dataproc_assets.takedown.receipts import receipt_lines
    from dataproc_assets.turn import TurnTaken

    try:
        with live(click.echo) as say:
            receipt = apply_on(lake, home, purging=purging, say=say)
    except (RunFailed, TurnTaken, RevocationError, SigningKeyError) as error:
        raise click.ClickException(str(error)) from None
    if receipt is None:
        click.echo("nothing to do: nothing that the ledger names is there")
        return
    click.echo("\n".join(receipt_lines(receipt, files=False)))
    click.echo(f"every artefact: `dataproc takedown receipt {receipt.id}`")
    click.echo("next: `dataproc takedown crawl` lists what the crawl still holds of them")


@takedown.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list, for programs.")
def crawl(as_json: bool) -> None:
    """List what the crawl still holds of taken down images: delete it there.

    The crawl is an input, which no command changes. Whole files are printed one a line, for `xargs
    rm` or `aws s3 rm`; what is in a tar or in a file of many records is told after them: such a
    file has to be written anew without it. All crawls are listed and read for this.
    """
    import json

    from dataproc_assets.storage.ranges import UnorderedError
    from dataproc_assets.takedown.crawled import crawl_lines, still_crawled

    try:
        rows = still_crawled(the_lake(), lambda line: click.echo(line, err=True))
    except (ConnectionError, UnorderedError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(rows.to_dicts(), ensure_ascii=False, indent=1))
        return
    for place in rows.filter(kind="file")["place"]:
        click.echo(place)
    for line in crawl_lines(rows):
        click.echo(line, err=True)


@takedown.command()
@click.argument("name", metavar="[RECEIPT|ENTRY]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as it is stored.")
def receipt(name: str | None, as_json: bool) -> None:
    """Show a receipt: every artefact that changed, with its SHA-256 before and after.

    Without a name all receipts are listed.
    """
    from dataproc_assets.takedown.receipts import (
        UnknownReceipt,
        find_receipt,
        receipt_lines,
        receipts,
    )

    store = the_lake().store
    if name is None:
        for each in receipts(store):
            what = "purged" if each.purged else "applied"
            click.echo(f"{each.id}  {what} {each.applied}  {len(each.artefacts)} artefacts")
        return
    try:
        found = find_receipt(store, name)
    except UnknownReceipt as error:
        raise click.ClickException(str(error)) from None
    click.echo(found.to_json().decode() if as_json else "\n".join(receipt_lines(found)))


@takedown.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def key(path: Path) -> None:
    """Make a key that signs revocations: the secret in the file PATH, the public one on screen."""
    from dataproc_assets.release.signing import new_key, public_hex, write_key

    made = new_key()
    try:
        write_key(path, made)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    click.echo(f"{path}: keep it secret, and set DATAPROC_TAKEDOWN_KEY to its path")
    click.echo(f"add to public_keys of conf/takedown.yaml: {public_hex(made)}")
