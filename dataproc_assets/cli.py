"""The `dataproc` command."""

import sys
from pathlib import Path

import click

from dataproc_assets.commands.diff import diff
from dataproc_assets.commands.explain import explain
from dataproc_assets.commands.gallery import gallery
from dataproc_assets.commands.lake import dagster_home, the_lake
from dataproc_assets.commands.release import release
from dataproc_assets.commands.sample import sample
from dataproc_assets.commands.takedown import takedown
from dataproc_assets.commands.unpack import unpack
from dataproc_assets.commands.weights import weights
from dataproc_assets.commands.what_if import what_if
from dataproc_assets.config.yaml import ConfigError
from dataproc_assets.models.weights import WeightsError
from dataproc_assets.storage.ranges import UnorderedError
from dataproc_assets.storage.report_manifest import ReportError
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets.storage.writes import WriteError
from dataproc_assets.version import __version__

CRAWL_ERRORS = (ConnectionError, ReportError, UnorderedError)  # why a crawl is not known


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dataproc")
def cli() -> None:
    """A dataset factory for anime-style image models.

    The profile is a file of conf/profiles: DATAPROC_PROFILE names it (default: local).
    Runs are recorded on the Dagster instance in DAGSTER_HOME (default: the current folder).
    """


@cli.command()
@click.option("--source", metavar="S", help="Make the per-source stages of this source alone.")
@click.option("--until", metavar="ASSET", help="Stop after this asset, e.g. prefiltered.")
def run(source: str | None, until: str | None) -> None:
    """Make whatever is stale, in order, from the crawl to releases, latents and the gallery.

    Nothing is made twice: a run that was ended is taken up where it stopped.
    """
    home = dagster_home()
    lake = the_lake()
    import dagster as dg

    from dataproc_assets.definitions import build
    from dataproc_assets.live import live
    from dataproc_assets.run import RunFailed, flow, run_stale, terminal
    from dataproc_assets.turn import TurnTaken, end_dead_runs, turn

    _one_of("--source", source, sorted(lake.project.sources))
    _one_of("--until", until, flow(lake))
    try:
        with (
            turn(home),
            dg.DagsterInstance.from_config(str(home)) as instance,
            live(click.echo) as say,
        ):
            if dead := end_dead_runs(instance):
                say(f"{dead} earlier run was killed: going on from there")
            definitions = build(lake.project, terminal(say))
            steps = run_stale(definitions, lake, instance, source=source, until=until, say=say)
    except (RunFailed, TurnTaken) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"done in {steps} runs" if steps else "nothing to do: everything is up to date")


@cli.command()
@click.option("--source", metavar="S", help="Look at this source alone.")
def plan(source: str | None) -> None:
    """Show what `run` would do now and why, how long it would take, and what it would cost.

    Nothing is made. Time and cost are those of the metric passes, by the rate of the units that
    were finished last (before there are any, by the YAML's `seconds_per_image`) and by
    `price_per_hour` of the profile's runner.
    """
    lake = the_lake()
    from dataproc_assets.plan import print_plan

    _one_of("--source", source, sorted(lake.project.sources))
    print_plan(lake, source)


@cli.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def upload(folder: Path) -> None:
    """Copy a folder of crawled files into the profile's crawl root.

    A file that is there with the same bytes is left alone.
    """
    from dataproc_assets.storage.upload import upload_folder

    lake = the_lake()
    copied, known = upload_folder(lake.bucket, folder)
    click.echo(f"{lake.bucket.url}: {copied} files copied, {known} were there")


@cli.command()
@click.option(
    "--truth",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A ground truth file to compare the duplicates with.",
)
def report(truth: Path | None) -> None:
    """Show the rows in and out of every stage, the drops, the releases, what to open next."""
    from dataproc_assets.report import print_report

    print_report(the_lake(), truth)


cli.add_command(diff)
cli.add_command(explain)
cli.add_command(gallery)
cli.add_command(release)
cli.add_command(sample)
cli.add_command(takedown)
cli.add_command(unpack)
cli.add_command(weights)
cli.add_command(what_if)


def main() -> None:
    """The entry point: what a person can mend is one message, not a traceback."""
    try:
        cli()
    except ConfigError as error:
        click.echo(f"the configuration is wrong:\n{error}", err=True)
        sys.exit(2)
    except (*CRAWL_ERRORS, ChangedFileError, FileNotFoundError, WeightsError, WriteError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


def _one_of(option: str, value: str | None, known: list[str]) -> None:
    if value is not None and value not in known:
        raise click.BadParameter(f"'{value}' is none of {', '.join(known)}", param_hint=option)
