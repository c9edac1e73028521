"""`kornia-srgan upscale` with weights for images of several bands, or of a stated range."""

from __future__ import annotations

from pathlib import Path

import typer

from kornia_srgan.errors import UserError

_ARRAYS = (".npy",)


def is_for_scenes(weights: str) -> bool:
    """Whether weights state the range of their data, so that they are not for photographs."""
    from kornia_srgan.weights.files import read_spec
    from kornia_srgan.weights.foreign import is_foreign
    from kornia_srgan.weights.locate import locate_weights

    if not weights.lower().endswith(".safetensors"):
        return False
    path = locate_weights(weights)
    return not is_foreign(path) and bool(read_spec(path).data_range)


def upscale_scenes(
    weights: str, inputs: list[str], output: Path, *, device: str, ignored: dict[str, bool], quiet: bool
) -> None:
    """Enlarge every input; what the weights do not fit is named.

    Args:
        weights: Weights that state the range of their data.
        inputs: Files, or folders of them.
        output: A folder, or for one input a file.
        device: As `--device` says.
        ignored: Options that do nothing here, and whether they were given.
        quiet: Print nothing.

    Raises:
        UserError: If an option was given that does nothing here, or there is nothing to enlarge.
    """
    from kornia_srgan.assembly import load_generator
    from kornia_srgan.inference.scenes import upscale_scene
    from kornia_srgan.optimize.device import pick_device

    given = [name for name, there in ignored.items() if there]
    if given:
        raise UserError(f"{', '.join(given)}: for photographs only; {weights} is for bands of a stated range")
    sources = _sources(inputs)
    loaded = load_generator(weights)
    file = output.suffix.lower() in (".tif", ".tiff", *_ARRAYS)
    if file and len(sources) > 1:
        raise UserError(f"--output {output}: {len(sources)} inputs need a folder")
    targets = [output if file else output / _name(path, loaded.spec.scale) for path in sources]
    twice = next(
        (t for t in targets if targets.count(t) > 1 or t.resolve() in map(Path.resolve, sources)), None
    )
    if twice is not None:
        raise UserError(f"{twice} would be written twice, or over an input; give them folders of their own")
    for path, target in zip(sources, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        report = upscale_scene(loaded, path, target, device=pick_device(device))
        if not quiet:
            height, width = report.size
            typer.echo(f"{path} -> {target} ({width}x{height})", err=True)
            for note in report.notes:
                typer.echo(f"  note: {note}", err=True)


def _sources(inputs: list[str]) -> list[Path]:
    from kornia_srgan.photos.find import find_files, looks_like_picture

    found: list[Path] = []
    for path in map(Path, inputs):
        if not path.exists():
            raise UserError(f"{path} does not exist")
        if path.is_dir():
            wanted = find_files(path, lambda p: p.suffix.lower() in _ARRAYS or looks_like_picture(p))
            found += wanted.files
        else:
            found.append(path)
    if not found:
        raise UserError(f"nothing to enlarge in {', '.join(inputs)}: give .tif or .npy files")
    return found


def _name(path: Path, scale: int) -> str:
    return f"{path.stem}_x{scale}{path.suffix.lower() if path.suffix.lower() in _ARRAYS else '.tif'}"
