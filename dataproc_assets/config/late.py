"""What a metric that runs late cannot be: named by a rule before it, or left out of the merging."""

from collections.abc import Iterable, Mapping

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.yaml import ConfigError


def check_late(metrics: Mapping[str, MetricConfig], curation: CurationConfig) -> None:
    """Raise ConfigError where something reads a metric that has not run by then.

    The prefilter reads those of the pass alone. The merging reads the tags of the metric `tagger`
    of every image, and the text of one captioner, whichever it is.
    """
    late = [metric for metric in metrics.values() if metric.on != "todo"]
    for rule in curation.prefilter:
        for column in (rule.column, *(condition.column for condition in rule.when)):
            for metric in _writing(late, column):
                raise ConfigError(
                    f"conf/curation.yaml: the prefilter's rule '{rule.name}' reads '{column}', and "
                    f"the metric {metric.name} runs on {metric.on}, after it: let it run on todo"
                )
    captioners = sorted(metric.name for metric in metrics.values() if metric.text_column)
    if len(captioners) > 1:
        raise ConfigError(
            f"conf/metrics/{captioners[1]}.yaml: {captioners[0]} writes the captions already; "
            "keep one captioner"
        )
    tagger = metrics.get("tagger")
    if tagger and tagger.on == "representatives":
        raise ConfigError(
            "conf/metrics/tagger.yaml: the merging reads the tags from the rows of each source: "
            "let it run on todo, or on prefiltered"
        )


def _writing(metrics: Iterable[MetricConfig], column: str) -> list[MetricConfig]:
    return [metric for metric in metrics if column.startswith(f"{metric.name}_")]
