"""The layout and the buttons of the page."""

from __future__ import annotations

import functools
import html
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from kornia_srgan.demo.choices import find_choice, with_upload
from kornia_srgan.demo.service import FORMAT_NAMES, SAME, Enlarged, Service, Wish, size_in_words
from kornia_srgan.errors import KorniaSRGANError, UserError
from kornia_srgan.explain import explain
from kornia_srgan.inference.recipe import Recipe
from kornia_srgan.inference.restore import parse_restore
from kornia_srgan.inference.tile_size import parse_tile
from kornia_srgan.weights.choices import Choice, Choices

OWN_SCALE = "what the weights make"
SCALES = {OWN_SCALE: None, "×2": 2, "×3": 3, "×4": 4}
WHOLE, DETAIL = "the whole picture", "a detail"
CSS = """
.gradio-container { max-width: 1280px !important; }
#sizes .size { font-size: 1.5rem; font-weight: 600; }
#download { align-self: center; }
#sizes p { margin: 0.25rem 0; }
#sizes .note { color: var(--body-text-color-subdued); }
"""
INTRO = (
    "# kornia_srgan\nEnlarge a photograph. It goes to the computer that runs this page and no further, "
    "and is deleted when the page's server stops."
)
NO_PHOTO = "<p>Drop a photograph on the left.</p>"
DAY = 24 * 60 * 60


def build_page(service: Service, choices: Choices, folder: Path) -> gr.Blocks:
    """The page.

    Args:
        service: Enlarges the photographs.
        choices: The available weights at the start.
        folder: Folder of results; the server deletes it.
    """
    first = next(iter(choices))
    with gr.Blocks(title="kornia_srgan", analytics_enabled=False, delete_cache=(DAY // 24, DAY)) as page:
        known, shown = gr.State(dict(choices)), gr.State(None)
        gr.Markdown(INTRO)
        with gr.Row():
            with gr.Column(scale=1, min_width=320):
                photo = gr.File(label="Photograph", elem_id="photo", height=150)
                with gr.Group():
                    weights = gr.Dropdown(_listed(choices), value=first, label="Weights", elem_id="weights")
                    own = gr.UploadButton("Add a .safetensors file", size="sm", elem_id="own-weights")
                with gr.Group():
                    scale = gr.Dropdown(list(SCALES), value=OWN_SCALE, label="Size")
                    form = gr.Dropdown(list(FORMAT_NAMES), value=SAME, label="File format")
                with gr.Accordion("More", open=False):
                    restore = gr.Textbox(
                        "auto", label="Restore", info="Noise and compression to take away: auto, or 0 to 1."
                    )
                    sharp = gr.Slider(
                        0, 1, 0, step=0.05, label="Sharp", info="How far towards the GAN: it invents texture."
                    )
                    color_fix = gr.Checkbox(label="Colour fix", info="Coarse colour from the photograph.")
                    ensemble = gr.Checkbox(
                        label="Ensemble", info="Mean of eight turns; eight times the work."
                    )
                    tile = gr.Textbox("auto", label="Tile", info="Side in pixels; auto; 0: all at once.")
                go = gr.Button("Enlarge", variant="primary", elem_id="enlarge")
            with gr.Column(scale=3):
                with gr.Row():
                    sizes = gr.HTML(NO_PHOTO, elem_id="sizes")
                    download = gr.DownloadButton("Download", visible=False, scale=0, elem_id="download")
                view = gr.Radio([WHOLE, DETAIL], value=WHOLE, container=False, visible=False, elem_id="view")
                slider = gr.ImageSlider(
                    label="before (bicubic) | after",
                    interactive=False,
                    buttons=["fullscreen"],
                    max_height=600,
                    elem_id="slider",
                )

        plan = _told(lambda *values: _plan(service, *values))
        gone = [view, slider, download]
        for event in (photo.change, weights.change, scale.change):
            event(plan, [photo, weights, scale, known], [sizes, *gone], show_progress="hidden")
        own.upload(_told(_add_weights), [own, known], [weights, known], show_progress="hidden")
        view.change(_view, [view, shown], slider, show_progress="hidden")

        def enlarge(
            path: str | None,
            label: str,
            size: str,
            form: str,
            tile: str,
            color_fix: bool,
            ensemble: bool,
            restore: str,
            sharp: float,
            known: Choices,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio wants it
        ) -> tuple[Any, ...]:
            if path is None:
                raise UserError("choose a photograph first", where="photograph")
            source = find_choice(known, label).source
            recipe = Recipe(
                source,
                ensemble=ensemble,
                color_fix=color_fix,
                restore=parse_restore(restore),
                sharp=sharp,
                tile=parse_tile(tile),
            )
            wish = Wish(recipe, SCALES[size], form)
            progress(0, desc="Enlarging")
            target = Path(tempfile.mkdtemp(dir=folder))
            result = service.enlarge(Path(path), target, wish, lambda part: progress(part, desc="Enlarging"))
            return _result(result)

        go.click(
            _told(enlarge),
            [photo, weights, scale, form, tile, color_fix, ensemble, restore, sharp, known],
            [sizes, view, slider, download, shown],
            show_progress_on=slider,
            concurrency_limit=1,
        )
    for function in page.fns.values():  # a page, not a service for programs
        function.api_visibility = "private"
    page.queue(max_size=16)
    return page


def _told(action: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with an error as one line in the page; our own faults show a traceback in the terminal."""

    @functools.wraps(action)
    def wrapped(*values: Any, **named: Any) -> Any:
        try:
            return action(*values, **named)
        except Exception as error:
            line, code = explain(error)
            if code == 1 and not isinstance(error, KorniaSRGANError):
                traceback.print_exc()
            shown = html.escape(line.removeprefix("error: "))
            raise gr.Error(shown, duration=None, print_exception=False) from None

    return wrapped


def _plan(
    service: Service, path: str | None, label: str, size: str, known: dict[str, Choice]
) -> tuple[Any, ...]:
    """What will come of the photograph: its size. The last result goes: it would only confuse."""
    gone = (gr.Radio(visible=False), None, gr.DownloadButton(visible=False))
    if path is None:
        return NO_PHOTO, *gone
    photo, factor = service.open(Path(path)), SCALES[size] or find_choice(known, label).scale
    words = size_in_words(photo, factor * photo.width, factor * photo.height)
    return f"<p class='size'>{words}</p><p class='note'>Not enlarged yet.</p>", *gone


def _add_weights(path: str | None, known: dict[str, Choice]) -> tuple[Any, Choices]:
    if path is None:
        raise UserError("no file was uploaded", where="weights")
    label, more = with_upload(known, Path(path))
    return gr.Dropdown(choices=_listed(more), value=label), more


def _result(result: Enlarged) -> tuple[Any, ...]:
    views = {
        name: (str(pair.before), str(pair.after))
        for name, pair in ((WHOLE, result.whole), (DETAIL, result.detail))
    }
    view = DETAIL if result.reduced else WHOLE
    size = result.path.stat().st_size / 1e6
    dial = "" if result.restore is None else f", restore {result.restore:.2f}"
    lines = [
        f"<p class='size'>{html.escape(result.words)}</p>",
        f"<p>{html.escape(result.path.name)}, {size:.1f} MB, {result.seconds:.1f} s{dial}</p>",
        *(f"<p class='note'>Note: {html.escape(note)}</p>" for note in result.notes),
    ]
    button = gr.DownloadButton(value=str(result.path), visible=True)
    return "".join(lines), gr.Radio(value=view, visible=True), views[view], button, views


def _view(name: str, views: dict[str, tuple[str, str]] | None) -> tuple[str, str] | None:
    return views[name] if views else None


def _listed(choices: Choices) -> list[tuple[str, str]]:
    """What the list shows, and the label that it stands for."""
    return [(f"{label} ({choice.text})", label) for label, choice in choices.items()]
