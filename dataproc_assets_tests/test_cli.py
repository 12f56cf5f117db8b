import shutil
import socket
import sys
from pathlib import Path

import pytest
from click import Group
from click.testing import CliRunner, Result

from dataproc_assets.cli import cli, main
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.version import __version__
from dataproc_assets_tests.defs.world import World

ROOT = Path(__file__).parent.parent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a Dagster instance, where the commands run."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(ROOT / "dagster.yaml", folder)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.delenv("DATAPROC_PROFILE", raising=False)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def conf(world: World, home: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The finished world's configuration is that of the commands."""
    monkeypatch.setenv("DATAPROC_CONF", str(world.conf))
    return world


def call(*words: str) -> Result:
    """A command, as click runs it."""
    return CliRunner().invoke(cli, list(words))


def start(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    """A command, as the shell starts it; its exit code."""
    monkeypatch.setattr(sys, "argv", ["dataproc", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command_and_the_environment(flag: str):
    said = call(flag).output
    for word in ("plan", "run", "upload", "report", "weights", "DATAPROC_PROFILE", "DAGSTER_HOME"):
        assert word in said


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("run", ["--source", "--until", "stale", "Nothing is made twice"]),
        ("upload", ["FOLDER", "crawl root", "left alone"]),
        ("report", ["--truth", "drops", "what to open next"]),
        ("gallery", ["--port", "127.0.0.1", "from S3"]),
    ],
)
def test_every_command_says_what_it_does(command: str, words: list[str]):
    result = call(command, "--help")
    assert result.exit_code == 0
    for word in words:
        assert word in " ".join(result.output.split())


def test_a_port_that_is_taken_is_named(conf: World):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = call("gallery", "--port", str(port))
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}: Address already in use; choose another --port" in result.output


def test_the_gallery_is_served_to_this_machine_alone(conf: World):
    result = call("gallery", "--host", "0.0.0.0")
    assert result.exit_code == 2
    assert "0.0.0.0 can be reached from other machines; listen on 127.0.0.1" in result.output


def test_every_command_has_help():
    names = ["diff", "explain", "gallery", "plan", "release", "report", "run", "sample"]
    assert sorted(cli.commands) == [*names, "takedown", "unpack", "upload", "weights", "what-if"]
    groups = {
        "release": ["comfyui", "fetch", "list", "push", "verify", "versions"],
        "takedown": ["add", "apply", "crawl", "key", "list", "receipt"],
        "weights": ["check", "fetch", "list"],
    }
    commands = list(cli.commands.values())
    for name, below in groups.items():
        group = cli.commands[name]
        assert isinstance(group, Group) and sorted(group.commands) == below
        commands += group.commands.values()
    for command in commands:
        assert command.help
        for option in command.params:
            assert option.param_type_name == "argument" or option.help  # type: ignore[attr-defined]


def test_the_version():
    assert call("--version").output == f"dataproc, version {__version__}\n"


@pytest.mark.parametrize(
    ("option", "known"), [("--source", "danbooru, pixiv"), ("--until", "inventory, records, todo")]
)
def test_a_wrong_name_is_answered_with_those_there_are(conf: World, option: str, known: str):
    result = call("run", option, "nonsense")
    assert result.exit_code == 2
    assert f"'nonsense' is none of {known}" in " ".join(result.output.split())
    assert option in result.output


def test_outside_a_project_the_run_says_where_to_go(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    result = call("run")
    assert result.exit_code == 1
    assert f"{tmp_path} has no dagster.yaml" in result.output and "DAGSTER_HOME" in result.output


@pytest.mark.parametrize("command", [["run"], ["report"], ["upload", "."]])
def test_a_wrong_configuration_is_a_message_with_its_line(
    conf: World, monkeypatch, capsys, command: list[str]
):
    path = conf.conf / "sources/pixiv.yaml"
    path.write_text(path.read_text().replace("trust:", "truts:"))
    lines = path.read_text().splitlines()
    (line,) = [number for number, text in enumerate(lines, 1) if text.startswith("truts:")]
    assert start(monkeypatch, *command) == 2
    said = capsys.readouterr().err
    assert f"conf/sources/pixiv.yaml:{line}: unknown key 'truts'" in said
    assert "did you mean 'trust'?" in said and "Traceback" not in said


def test_when_all_is_fresh_a_run_says_so(conf: World, home: Path):
    result = call("run")
    assert (result.exit_code, result.output) == (0, "nothing to do: everything is up to date\n")


def test_a_run_makes_what_is_stale_and_records_it_in_dagster_home(conf: World, home: Path):
    conf.lake.distrust("augmented", "pixiv")
    result = call("run", "--until", "augmented")
    assert result.exit_code == 0
    assert result.output == "making pixiv: augmented\ndone in 1 runs\n"
    assert list((home / ".dagster/storage").iterdir())


def test_a_failed_run_is_one_message(conf: World, home: Path, monkeypatch, capsys):
    conf.change("releases/demo.yaml", lambda release: release["select"].update(year_min=2025))
    conf.lake.store.delete("releases/demo/manifest.json")
    assert start(monkeypatch, "run") == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: demo: release: ValueError: release 'demo' would be empty")
    assert "see run" in said and "Traceback" not in said


@pytest.mark.parametrize("command", ["run", "report"])
def test_a_damaged_table_is_a_message(conf: World, home: Path, monkeypatch, capsys, command: str):
    path = conf.home / "store/stages/todo/pixiv_todo.parquet/manifest.json"
    path.write_text("{")
    assert start(monkeypatch, command) == 1
    said = capsys.readouterr().err
    assert str(path) in said and "make its asset again" in said and "Traceback" not in said


def test_a_bucket_that_is_away_is_a_message(conf: World, home: Path, monkeypatch, capsys):
    away = str(home / "away")
    conf.change("profiles/local.yaml", lambda profile: profile["crawl"].update(root=away))
    assert start(monkeypatch, "run") == 1
    said = capsys.readouterr().err
    assert f"{away}: there is no such folder" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("crawl", "message"),
    [
        ({"listing": {"by": "ranges", "connections": 2}}, "not in the order of its keys: "),
        ({"reports": {"pixiv": "s3://test/none/daily"}}, "no complete S3 Inventory report"),
    ],
)
def test_a_crawl_that_cannot_be_known_is_a_message(
    conf: World, home: Path, s3_url: str, monkeypatch, capsys, crawl, message: str
):
    for path in ("a/1", "a-x"):  # SeaweedFS lists them in this order
        ObjectStore(s3_url).put(f"dataset-pixiv/{path}", b"x")
    here = {"root": s3_url, **crawl}
    conf.change("profiles/local.yaml", lambda profile: profile["crawl"].update(here))
    assert start(monkeypatch, "run", "--source", "pixiv") == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: s3://test/") and message in said and "Traceback" not in said


def test_upload_copies_once(conf: World, home: Path, tmp_path: Path):
    bucket = tmp_path / "other"
    conf.change("profiles/local.yaml", lambda profile: profile["crawl"].update(root=str(bucket)))
    crawl = tmp_path / "crawl"
    (crawl / "dataset-pixiv").mkdir(parents=True)
    (crawl / "dataset-pixiv/1.json").write_text("{}")
    (crawl / "2.json").write_text("[]")
    assert call("upload", str(crawl)).output == f"{bucket}: 2 files copied, 0 were there\n"
    assert call("upload", str(crawl)).output == f"{bucket}: 0 files copied, 2 were there\n"
    (crawl / "2.json").write_text("[1]")
    assert call("upload", str(crawl)).output == f"{bucket}: 1 files copied, 1 were there\n"
    assert (bucket / "2.json").read_text() == "[1]"


def test_upload_of_a_folder_that_is_not_there(conf: World):
    result = call("upload", "nowhere")
    assert result.exit_code == 2 and "nowhere" in result.output


def test_report_shows_the_state(conf: World):
    result = call("report")
    assert result.exit_code == 0
    assert "rows kept of rows in" in result.output and "release demo: 3 images" in result.output


def test_report_before_any_run_says_what_to_do(conf: World, home: Path, monkeypatch, capsys):
    empty = str(home / "empty")
    conf.change("profiles/local.yaml", lambda profile: profile["storage"].update(root=empty))
    assert start(monkeypatch, "report") == 1
    said = capsys.readouterr().err
    assert "make its asset first" in said and "Traceback" not in said


def test_an_unknown_profile_names_those_there_are(conf: World, monkeypatch, capsys):
    monkeypatch.setenv("DATAPROC_PROFILE", "lokal")
    assert start(monkeypatch, "report") == 2
    assert "lokal" in capsys.readouterr().err
