from io import StringIO

from rich.console import Console

from dataproc_assets.live import live
from dataproc_assets.runners.base import Progress, watching


def test_on_a_terminal_a_bar_stands_below_the_lines():
    console = Console(file=StringIO(), force_terminal=True, width=120)
    with live(print, console) as say:
        show = watching.get()
        assert show is not None
        say("making pixiv: clip [not a style]")
        show("pixiv", Progress())
        show("pixiv", Progress(done=30, total=40, errors={"empty": 2}, images_per_second=1.5))
    assert watching.get() is None
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "making pixiv: clip [not a style]\n" in said
    assert "30/40" in said and "1.5/s" in said and "empty 2" in said


def test_a_finished_job_takes_its_bar_away():
    console = Console(file=StringIO(), force_terminal=True, width=120)
    with live(print, console):
        show = watching.get()
        assert show is not None
        for _ in range(2):  # a second pass of the same name has a bar of its own
            show("pixiv", Progress(done=1, total=2))
            show("pixiv", Progress(done=2, total=2))


def test_in_a_pipe_there_are_lines_alone(capsys):
    with live(print, Console(file=StringIO())) as say:
        assert watching.get() is None
        say("making pixiv: clip")
    assert capsys.readouterr().out == "making pixiv: clip\n"
