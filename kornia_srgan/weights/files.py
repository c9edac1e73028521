"""Reads and writes weight files: safetensors with a header that describes them.

The metadata has one entry, `kornia_srgan`, with a `WeightSpec` as JSON. safetensors has no checksum, so the
spec contains a hash of the tensors, which is verified on loading.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kornia_srgan.atomic import write_bytes
from kornia_srgan.errors import WeightsError
from kornia_srgan.explain import one_line
from kornia_srgan.weights.safetensors_header import METADATA_KEY, read_safetensors_header, spec_in
from kornia_srgan.weights.spec import WeightSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def save_weights(
    path: str | Path,
    state_dict: Mapping[str, Tensor],
    spec: WeightSpec,
    *,
    dtype: torch.dtype | None = None,
) -> WeightSpec:
    """Write tensors and their spec to a safetensors file, atomically.

    Args:
        path: The file; its folder is created if needed.
        state_dict: Tensors on any device, in any memory format. Keys are cleaned, see `clean_keys`.
        spec: The spec. Its `tensor_hash` is filled in.
        dtype: Convert floating-point tensors, for example to `torch.float16` for half the size.

    Returns:
        The spec as written.

    Raises:
        WeightsError: If the file cannot be written, or a value does not fit into `dtype`.
    """
    from safetensors.torch import save

    tensors = {key: _stored(key, value, dtype) for key, value in clean_keys(state_dict).items()}
    written = replace(spec, tensor_hash=tensor_hash(tensors))
    write_bytes(Path(path), save(tensors, metadata={METADATA_KEY: written.to_json()}), WeightsError)
    return written


def read_spec(path: str | Path) -> WeightSpec:
    """Read the spec of a weight file; reads the header only and does not import torch.

    Raises:
        WeightsError: If the file is missing, damaged, or not one of this package's.
    """
    path = Path(path)
    return spec_in(read_safetensors_header(path), path)


def load_weights(path: str | Path, *, kind: str | None = "generator") -> tuple[WeightSpec, dict[str, Tensor]]:
    """Read a weight file and verify it.

    Args:
        path: A file that `save_weights` wrote.
        kind: The expected kind of component; None accepts any.

    Returns:
        The spec and the tensors, on the CPU, in the stored dtypes.

    Raises:
        WeightsError: If the file is missing, truncated, damaged, of another kind, not a weight file of this
            package, or holds NaN or infinity.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    spec = read_spec(path)
    if kind is not None and spec.kind != kind:
        raise WeightsError(f"{path} holds a {spec.kind} ('{spec.name}'), expected a {kind}", where=path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged: {one_line(error)}", where=path) from None
    if tensor_hash(tensors) != spec.tensor_hash:
        raise WeightsError(
            f"{path} is damaged: its tensors do not match the hash in its header; fetch it again", where=path
        )
    check_finite(tensors, path)
    return spec, tensors


def check_finite(state: Mapping[str, Tensor], where: str | Path) -> None:
    """Refuse weights that hold NaN or infinity, with which every picture would be black.

    Raises:
        WeightsError: If they hold NaN or infinity.
    """
    bad = [key for key, t in state.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    if bad:
        more = f" and {len(bad) - 1} more tensors" if len(bad) > 1 else ""
        raise WeightsError(
            f"{where} holds NaN or infinity in '{bad[0]}'{more}: it was damaged in training or since; "
            "take another checkpoint",
            where=where,
        )


def load_into(module: nn.Module, state: Mapping[str, Tensor], where: str | Path) -> None:
    """Copy tensors into a module of exactly that architecture.

    Args:
        module: Changed in place; keeps its device and dtypes.
        state: The tensors by the module's own keys.
        where: The file, for the message.

    Raises:
        WeightsError: If a key is missing or unexpected, or a shape differs; the module is not changed then.
    """
    own = module.state_dict()
    missing = [k for k in own if k not in state]
    unexpected = [k for k in state if k not in own]
    differing = [k for k in own if k in state and own[k].shape != state[k].shape]
    parts = [f"{len(missing)} missing ('{missing[0]}')"] if missing else []
    parts += [f"{len(unexpected)} unexpected ('{unexpected[0]}')"] if unexpected else []
    if differing:
        key = differing[0]
        shapes = f"{tuple(state[key].shape)} in the file, {tuple(own[key].shape)} in the model"
        parts.append(f"{len(differing)} of another shape ('{key}': {shapes})")
    if parts:
        name = type(module).__name__
        raise WeightsError(
            f"{where}: the weights belong to another architecture than {name}: {', '.join(parts)}",
            where=where,
        )
    module.load_state_dict(dict(state), strict=True)


def load_matching(module: nn.Module, state: Mapping[str, Tensor], where: str | Path) -> list[str]:
    """Copy the tensors whose keys and shapes match a module.

    Args:
        module: Changed in place; keeps its device and dtypes.
        state: The tensors, such as those of the same architecture at another scale.
        where: The file, for the message.

    Returns:
        The keys of the module that were not loaded.

    Raises:
        WeightsError: If nothing fits.
    """
    own = module.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise WeightsError(
            f"{where}: none of its {len(state)} tensors fits {type(module).__name__}", where=where
        )
    module.load_state_dict(fitting, strict=False)
    return [k for k in own if k not in fitting]


def clean_keys(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove the prefixes of wrappers from keys: `module.` (data parallel) and `_orig_mod` (`torch.compile`).

    Raises:
        WeightsError: If two keys become the same.
    """
    cleaned: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        name = ".".join(part for part in key.split(".") if part != "_orig_mod")
        if name in cleaned:
            raise WeightsError(f"two tensors would both be saved as '{name}'", where=name)
        cleaned[name] = value
    while cleaned and all(key.startswith("module.") for key in cleaned):
        cleaned = {key.removeprefix("module."): value for key, value in cleaned.items()}
    return cleaned


def tensor_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the tensors' names, dtypes, shapes and bytes, independent of their order."""
    import torch

    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        digest.update(json.dumps([key, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _stored(key: str, value: Tensor, dtype: torch.dtype | None) -> Tensor:
    import torch

    # A copy: tied tensors share storage, which safetensors refuses; channels-last is not contiguous.
    tensor = value.detach().to("cpu", copy=True).contiguous()
    if dtype is None or not tensor.is_floating_point():
        return tensor
    stored = tensor.to(dtype)
    if torch.isfinite(tensor).all() and not torch.isfinite(stored).all():
        raise WeightsError(
            f"'{key}' has values too large for {dtype}; store the weights as float32", where=key
        )
    return stored
