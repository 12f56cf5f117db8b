"""A page that draws with a release's denoiser: on this machine alone, and asking nobody else."""

import os
from typing import Any

from PIL import Image

from dataproc_assets.sampler import Sampler, parse_size

HOST = "127.0.0.1"
MOST_STEPS, MOST_GUIDANCE, MOST_SEED = 200, 50.0, 2**31 - 1
MOST_PROMPT = 2000  # characters
KEPT_SECONDS = 3600  # a drawn picture in the page's folder of temporary files


class GradioMissingError(Exception):
    """gradio is not installed."""


def sample_page(sampler: Sampler) -> Any:
    """A gradio Blocks with one function, `draw`, of prompt, size, guidance, steps and seed.

    Raises GradioMissingError where gradio is not installed.
    """
    gradio = _gradio()

    def draw(
        prompt: str | None,
        size: str | None,
        guidance: float | None,
        steps: float | None,
        seed: float | None,
    ) -> Image.Image:
        """What is asked for may be anything: the page's fields bind nobody who asks its API."""
        try:
            if len(prompt or "") > MOST_PROMPT:
                raise ValueError(f"the prompt has more than {MOST_PROMPT} characters")
            return sampler.draw(
                prompt or "",
                size=parse_size(size or ""),
                guidance=_within("guidance", guidance, 0, MOST_GUIDANCE),
                steps=int(_within("steps", steps, 1, MOST_STEPS)),
                seed=int(_within("seed", seed, 0, MOST_SEED)),
            )
        except ValueError as error:
            raise gradio.Error(str(error), print_exception=False) from error

    config, sizes = sampler.about.denoiser, [f"{w}x{h}" for w, h in sampler.sizes]
    title = f"Denoiser of {sampler.name}"
    with gradio.Blocks(
        title=title, analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)
    ) as page:
        gradio.Markdown(
            f"# {title}\nA small model that was trained to prove a release, not to draw well. "
            f"Prompts as the recipe `{sampler.about.recipe}` writes them."
        )
        with gradio.Row():
            with gradio.Column():
                prompt = gradio.Textbox(label="Prompt", lines=3, max_length=MOST_PROMPT)
                size = gradio.Dropdown(sizes, value=sizes[0], label="Size")
                guidance = gradio.Slider(
                    0, MOST_GUIDANCE, value=config.guidance, label="Guidance (0: without a prompt)"
                )
                steps = gradio.Slider(
                    1, MOST_STEPS, value=config.sample_steps, step=1, label="Steps"
                )
                seed = gradio.Number(0, label="Seed", precision=0, minimum=0, maximum=MOST_SEED)
                button = gradio.Button("Draw", variant="primary")
            picture = gradio.Image(label="Drawn", format="png", interactive=False)
        gradio.on(
            [button.click, prompt.submit],
            draw,
            [prompt, size, guidance, steps, seed],
            picture,
            api_name="draw",
            concurrency_limit=1,
        )
    return page


def serve(page: Any, port: int) -> str:
    """Begin to serve the page on loopback, at a free port for 0, and return its URL.

    Raises OSError where the port is taken.
    """
    _, url, _ = page.launch(
        server_name=HOST,
        server_port=port or None,
        share=False,
        inbrowser=False,
        quiet=True,
        prevent_thread_lock=True,
        show_error=True,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
    )
    return url


def _within(name: str, value: float | None, least: float, most: float) -> float:
    if value is None or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}")
    return value


def _gradio() -> Any:
    # Before it is imported: nothing of this page is told to anyone.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ImportError as error:
        raise GradioMissingError(
            "the page needs gradio: `pip install 'dataproc-assets[sample]'`, or draw a single "
            'picture with --prompt "…"'
        ) from error
    return gradio
