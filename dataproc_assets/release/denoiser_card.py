"""The card of a release's denoiser: what it is, what it learned from, how good it is."""

from typing import Any

from dataproc_assets.config.denoiser import DenoiserConfig


def denoiser_card(name: str, config: DenoiserConfig, counts: dict[str, Any]) -> str:
    """Markdown.

    Args:
        name: the release.
        counts: what `proof` gave, with `seen` and `unseen` images of the kept model.
    """
    loss, shuffled, none = counts["loss"], counts["over_shuffled"], counts["over_none"]
    folds = "\n".join(
        f"| {fold['fold']} | {fold['images']} | {fold['none']:.5f} | {fold['true']:.5f} "
        f"| {fold['shuffled']:.5f} |"
        for fold in counts["folds"]
    )
    return f"""# Reference denoiser of {name}

A small model of rectified flow on the latents of the release `{name}`, made to find out whether
its latents and prompts are whole and belong together. It is not made to draw well.

- **Network:** a transformer of {config.depth} blocks of width {config.width} over patches of
  {config.patch} x {config.patch} positions, and three convolutions. It is trained on latents alone,
  {config.steps} steps of {config.batch_size}.
- **Prompts:** a ridge regression foretells a coarse latent of {config.grid} x {config.grid} cells
  from a prompt's tags, hashed into {config.words} places. That is taken out of the velocity where
  the noise hides what it tells. It is solved exactly, so a training with shuffled prompts differs
  in this regression and in nothing else.
- **Learned from:** {counts["seen"]} images; the {counts["unseen"]} of the split
  `{config.held_out}` were never seen by the model of this file.

## What was measured

{config.folds} models, each on the images that it never saw, nor a variant of them:
{counts["images"]} images of {counts["families"]} families, at {config.draws} noises and times each.
The loss is the mean squared error of the velocity, in units of the latents' deviation.

| | loss | the true prompts lose less by | standard errors |
|---|---|---|---|
| true prompts | {loss["true"]:.5f} | | |
| shuffled prompts, mean of {counts["shuffles"]} | {loss["shuffled"]:.5f} | {shuffled["mean"]:.5f} \
± {shuffled["standard_error"]:.5f} | {shuffled["z"]:.1f} |
| no prompt | {loss["none"]:.5f} | {none["mean"]:.5f} ± {none["standard_error"]:.5f} | \
{none["z"]:.1f} |

Among {counts["shuffles"] + 1} trainings, the true one included, a share of {counts["p"]:.3f} loses
as little as it. On {100 * counts["better"]:.0f} % of the images the true prompts beat the mean of
the shuffled ones.

| fold | images | no prompt | true | shuffled |
|---|---|---|---|---|
{folds}

Weights load without pickle (safetensors). The same machine and number of threads give the same
bytes; another kind of processor may differ in the last bits.
"""
