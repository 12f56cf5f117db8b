from dataproc_assets.config.project import load_project
from dataproc_assets_tests.config.conf import change, message


def test_a_metric_runs_where_its_yaml_says(conf):
    change(conf / "metrics/tagger.yaml", on="prefiltered")
    project = load_project(conf)
    assert list(project.kept_metrics) == ["tagger"] and list(project.late_metrics) == ["caption"]
    assert "tagger" not in project.pass_metrics


def test_the_prefilter_reads_no_metric_that_runs_after_it(conf):
    change(conf / "metrics/softmax.yaml", on="prefiltered")
    assert message(conf) == (
        "conf/curation.yaml: the prefilter's rule 'unsafe_softmax' reads 'softmax_nsfw', and the "
        "metric softmax runs on prefiltered, after it: let it run on todo"
    )


def test_the_tags_of_every_image_are_merged(conf):
    change(conf / "metrics/tagger.yaml", on="representatives")
    assert message(conf).startswith("conf/metrics/tagger.yaml: the merging reads the tags from")


def test_one_metric_writes_the_captions(conf):
    text = (conf / "metrics/caption.yaml").read_text("utf-8")
    (conf / "metrics/second.yaml").write_text(text.replace("name: caption", "name: second"))
    assert message(conf).startswith("conf/metrics/second.yaml: caption writes the captions already")
