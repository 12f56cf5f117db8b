"""A CoCa of open_clip as a backbone: pictures in, the tokens of a caption out."""

import difflib
import json
from functools import cache
from typing import Any

import numpy as np
import open_clip
import polars as pl
import torch

from dataproc_assets.config.encoders import Encoder
from dataproc_assets.config.metrics import CocaCaptioner
from dataproc_assets.models.base import DecodedImage, Reading, in_fixed_batches
from dataproc_assets.models.images import to_input
from dataproc_assets.models.state import load_float32
from dataproc_assets.models.torch_run import autocast
from dataproc_assets.models.weights import WeightsError, fault, read_verified


class CocaWriter:
    """Writes captions, each token the likeliest after those before it.

    On a CPU one picture at a time, on a GPU in fixed batches that grow token by token: a row is
    then always computed in the same shapes, whoever travels with it.

    Raises:
        WeightsError: there is no such CoCa, its files cannot be used, it does not take such an
            input, or it does not write so long a text.
    """

    def __init__(self, metric: CocaCaptioner, where: str, device: str) -> None:
        self._metric = metric
        self._device = device
        self._batch_size = 1 if device == "cpu" else metric.batch_size
        model = _build(metric.encoder, where)
        longest = min(model.text.context_length, model.text_decoder.context_length)
        if metric.max_tokens > longest:
            raise WeightsError(
                f"{where}: max_tokens is {metric.max_tokens}, the model has {longest} positions"
            )
        load_float32(model, metric.encoder.weights, f"{where}: encoder.weights")
        self._model = model.to(device)
        self._output = np.dtype([("tokens", "i4", (metric.max_tokens,)), ("p", "f4")])
        side = metric.encoder.input.side
        try:
            self.run(np.zeros((1, 3, side, side), np.float32))
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{where}: the model does not write about pictures of {side}x{side}; correct "
                f"encoder.input.side or the architecture ({error})"
            ) from error

    def preprocess(self, image: DecodedImage) -> np.ndarray:
        """float32 [3, side, side]."""
        return to_input(image.image, self._metric.encoder.input)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Records of `tokens`, filled up with the end token, and `p`, the mean of theirs."""
        with autocast(self._device, self._metric.encoder.precision):
            return in_fixed_batches(self._write, batch, self._batch_size)

    @torch.inference_mode()
    def _write(self, block: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(block).to(self._device)
        seen = self._model(images)
        start, end = _tokenizer().all_special_ids
        texts = torch.full((len(block), 1), start, device=self._device)
        ended = torch.zeros(len(block), dtype=torch.bool, device=self._device)
        p = torch.zeros(len(block), dtype=torch.float64, device=self._device)
        count = torch.zeros_like(p)
        for place in range(self._metric.max_tokens):
            # The class token that the text tower appends is hidden from the others, which also
            # do not see what comes after them: the last logits are those of the next token.
            logits = self._model(
                images,
                texts,
                image_latent=seen["image_features"],
                image_embs=seen["image_embs"],
                output_labels=False,
            )["logits"][:, -1].double()
            allowed = logits.clone()
            allowed[:, [start, self._model.pad_id]] = -torch.inf  # never taught as next ones
            if place < self._metric.min_tokens:
                allowed[:, end] = -torch.inf
            chosen = allowed.argmax(-1).masked_fill(ended, end)
            one = logits.softmax(-1).gather(1, chosen[:, None])[:, 0]
            p += one.masked_fill(ended, 0)
            count += ~ended
            ended |= chosen == end
            texts = torch.cat([texts, chosen[:, None]], 1)
            if ended.all():
                break
        written = np.zeros(len(block), self._output)
        written["tokens"] = end
        written["tokens"][:, : texts.shape[1] - 1] = texts[:, 1:].cpu().numpy()
        written["p"] = (p / count).cpu().numpy()
        return written


def text_reading(metric: CocaCaptioner) -> Reading:
    """The text, null where nothing can be read of it, and how sure the model was, rounded."""

    def read(outputs: np.ndarray) -> pl.DataFrame:
        texts = [plain_text(row.tolist()) for row in outputs["tokens"]]
        return pl.DataFrame(
            {
                f"{metric.name}_text": pl.Series(texts, dtype=pl.String),
                f"{metric.name}_mean_token_p": outputs["p"].round(metric.decimals),
            }
        )

    return read


def plain_text(tokens: list[int]) -> str | None:
    """What stands before the end, with single blanks between words; null where it is nothing."""
    start, end = _tokenizer().all_special_ids
    before = tokens[: tokens.index(end)] if end in tokens else tokens
    text = _tokenizer().decode([token for token in before if token != start])
    # a letter of several bytes that was cut off
    return " ".join(text.replace("\ufffd", " ").split()) or None


@cache
def _tokenizer() -> open_clip.SimpleTokenizer:
    return open_clip.SimpleTokenizer()


def _build(encoder: Encoder, where: str) -> open_clip.CoCa:
    arguments = _arguments(encoder, where)
    arguments.pop("custom_text", None)  # of open_clip's own configurations
    text, vision = (arguments.get(key) or {} for key in ("text_cfg", "vision_cfg"))
    fetched = [key for key in ("hf_model_name", "timm_model_name") if key in {*text, *vision}]
    if fetched or not arguments.get("multimodal_cfg"):
        fault = f"has {fetched[0]}" if fetched else "has no multimodal_cfg"
        raise WeightsError(
            f"{where}: encoder: the architecture {fault}; a CoCa of open_clip's own towers is "
            "needed, such as coca_ViT-L-14"
        )
    words = _tokenizer().vocab_size
    if text.get("vocab_size") != words:
        raise WeightsError(
            f"{where}: encoder: text_cfg.vocab_size is {text.get('vocab_size')}; CLIP's "
            f"vocabulary, by which the text is read, has {words}"
        )
    try:
        return open_clip.CoCa(**arguments)
    except (AssertionError, TypeError, ValueError) as error:
        raise WeightsError(f"{where}: encoder: open_clip builds no CoCa of it: {error}") from error


def _arguments(encoder: Encoder, where: str) -> dict[str, Any]:
    if encoder.architecture is not None:
        file, key = encoder.architecture, f"{where}: encoder.architecture"
        try:
            return dict(json.loads(read_verified(file, key)))
        except (TypeError, ValueError) as error:
            raise fault(file, key, f"{file.uri} is no JSON object ({error})") from error
    known = open_clip.list_models()
    if encoder.model not in known:
        near = difflib.get_close_matches(str(encoder.model), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise WeightsError(f"{where}: open_clip has no model {encoder.model!r}{hint}")
    return dict(open_clip.get_model_config(encoder.model) or {})
