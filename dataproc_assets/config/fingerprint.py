"""The digest that says when values have to be computed again."""

import hashlib
import json

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.weights import pins


def fingerprint(config: MetricConfig | VaeConfig) -> str:
    """16 hex digits that change when, and only when, the values of a metric can.

    Digests of weights and vocabularies (address and commit where there is no digest),
    preprocessing, rounding, what is written down (floors) and the version of the code take part.
    Names, places, times, `on` and a VAE's `scaling` (latents are stored unscaled) do not.
    `batch_size` does not either: on a CPU it has no effect, and on a GPU it can change last bits
    as the kind of GPU does, which must not make every image be scored again.
    """
    without = {
        *("name", "on", "batch_size", "seconds_per_image"),
        *("scaling", "compile_buckets"),
    }
    values = config.model_dump(mode="json", exclude=without)
    for model in (values, values.get("encoder", {})):
        if model.get("precision") == "float32":  # as what was scored before it could be chosen
            del model["precision"]
    if values.get("latent") == "mean":  # likewise; and the seed is a sample's alone
        del values["latent"], values["seed"]
    text = json.dumps(pins(values), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
