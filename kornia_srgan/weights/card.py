"""Generates model cards from the headers of weight files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kornia_srgan.markdown import markdown_table
from kornia_srgan.weights.spec import JSON, WeightSpec, describe_channels

if TYPE_CHECKING:
    from torch import Tensor


def model_card(spec: WeightSpec, *, source: str = "model.safetensors", parameters: int | None = None) -> str:
    """A model card in the Hub's format: YAML between `---` lines, then Markdown.

    Args:
        spec: The header of the weight file.
        source: The weights in the example: a packaged name, a path or `hf-hub:owner/name`.
        parameters: Number of parameters, if known.
    """
    sections = [
        _metadata(spec),
        _introduction(spec, parameters),
        _usage(source, spec),
        _table("Architecture", {"generator": spec.name, "scale": spec.scale, **spec.args}),
        _table("Training", {k: v for k, v in spec.training.items() if k != "figures"}),
        _figures(spec.training.get("figures")),
        _plugin(spec),
        f"## Integrity\n\nSHA-256 over the tensors: `{spec.tensor_hash}`" if spec.tensor_hash else "",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def count_parameters(state: Mapping[str, Tensor]) -> int:
    """The number of parameters of a state dict, without BatchNorm statistics."""
    return sum(value.numel() for key, value in state.items() if not key.endswith(_BUFFERS))


_BUFFERS = (".running_mean", ".running_var", ".num_batches_tracked")


def _metadata(spec: WeightSpec) -> str:
    lines = ["---", "library_name: kornia-srgan", "pipeline_tag: image-to-image"]
    if spec.license:
        lines.append(f"license: {json.dumps(spec.license.lower())}")
    lines += ["tags:", "- super-resolution", "- kornia", f"- {json.dumps(spec.name)}", "---"]
    return "\n".join(lines)


def _introduction(spec: WeightSpec, parameters: int | None) -> str:
    low, high = spec.value_range
    size = f", {parameters:,} parameters" if parameters is not None else ""
    license_ = spec.license or "not stated"
    kind = f"RGB images in [{low:g}, {high:g}]"
    if is_for_data(spec):
        kind = f"Images of {describe_channels(spec.channels, spec.data_range)}"
    return (
        f"# {spec.name} ×{spec.scale}\n\n"
        f"Enlarges {'images' if is_for_data(spec) else 'photographs'} {spec.scale} times{size}. {kind}. "
        f"Licence of the weights: {license_}."
    )


def is_for_data(spec: WeightSpec) -> bool:
    """Whether weights are for other images than RGB photographs."""
    return spec.channels != 3 or bool(spec.data_range)


def _usage(source: str, spec: WeightSpec) -> str:
    if is_for_data(spec):
        return (
            "## Use\n\n```python\nfrom kornia_srgan import Upscaler, upscale_file\n\n"
            f'upscale_file(Upscaler.from_pretrained("{source}"), "scene.tif", "large.tif")\n```\n\n'
            f"```bash\nkornia-srgan upscale scene.tif -o large.tif --weights {source}\n```"
        )
    return (
        "## Use\n\n```python\nfrom PIL import Image\nfrom kornia_srgan import Upscaler\n\n"
        f'Upscaler.from_pretrained("{source}")(Image.open("photo.jpg")).save("large.png")\n```\n\n'
        f"```bash\nkornia-srgan upscale photo.jpg -o large.png --weights {source}\n```"
    )


def _table(title: str, facts: Mapping[str, JSON]) -> str:
    shown = {name: value for name, value in facts.items() if value not in ("", None, [], {})}
    if not shown:
        return ""
    rows = [(name.replace("_", " "), _cell(value)) for name, value in shown.items()]
    return f"## {title}\n\n{markdown_table(('', ''), rows)}".rstrip()


def _figures(figures: JSON) -> str:
    """Scores as a table: `{"Set5 (ledig-y)": {"psnr": 31.4, "ssim": 0.88}}` or `{"Set5": 31.4}`."""
    return _table("Figures", figures) if isinstance(figures, dict) else ""


def _cell(value: JSON) -> str:
    match value:
        case dict():
            text = ", ".join(f"{name} {_cell(inner)}" for name, inner in value.items())
        case list():
            text = ", ".join(_cell(inner) for inner in value)
        case bool():
            text = "yes" if value else "no"
        case float():
            text = f"{value:.6g}"
        case _:
            text = str(value)
    return text.replace("\n", " ")


def _plugin(spec: WeightSpec) -> str:
    if not spec.plugin:
        return ""
    return (
        f"## Plug-in\n\nThe generator `{spec.name}` is not part of kornia_srgan; it comes from "
        f"`{spec.plugin}`, which must be imported, or given with `--plugin`, before these weights load."
    )
