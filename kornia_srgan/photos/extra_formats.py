"""Files that need a package of their own: HEIC, JPEG XL and camera raw, each an extra of ours."""

from __future__ import annotations

import io
from types import ModuleType

import numpy as np

from kornia_srgan.environment import install_command, is_installed, require_extra
from kornia_srgan.errors import ImageError
from kornia_srgan.photos.c_messages import c_messages, damage_note
from kornia_srgan.photos.deep import spread_bits
from kornia_srgan.photos.header import check_size
from kornia_srgan.photos.items import picture_coding
from kornia_srgan.photos.jxl import jxl_header
from kornia_srgan.photos.modes import Decoded, from_pil
from kornia_srgan.photos.photo import Frame, Pixels, Space, split_alpha, unit_floats

_FEWEST = 20  # pixels in a byte: no camera packs its raw so tightly
_NO_HEVC = {
    b"moov": "a film alone",
    b"av01": "AV1 under a name other than AVIF",
    b"avc1": "H.264 (AVC)",
    b"vvc1": "H.266 (VVC)",
    b"jpeg": "JPEG",
    b"j2k1": "JPEG 2000",
    b"unci": "uncompressed pixels",
}
_SPACES: dict[int, Space] = {1: "L", 2: "L", 3: "RGB", 4: "RGB"}


def read_heif(data: bytes, max_pixels: int) -> Decoded:
    """The primary picture of a HEIC or HEIF file.

    Raises:
        ImageError: If pillow-heif is not installed, or the file is no HEVC, damaged or too large.
    """
    coding = picture_coding(data)
    if coding in _NO_HEVC:
        raise ImageError(f"HEIF that holds {_NO_HEVC[coding]} is not supported; convert it to PNG first")
    heif = _heif()
    file = heif.open_heif(data, convert_hdr_to_8bit=False)
    check_size(file.size[0] * file.size[1], max_pixels)
    notes = [f"it holds {len(file)} pictures: the primary one is taken"] if len(file) > 1 else []
    parts = {"depth_images": "depth map", "aux": "other pictures (such as an HDR gain map)"}
    lost = [title for key, title in parts.items() if file.info.get(key)]
    if lost:
        notes.append(f"its {' and its '.join(lost)} are left out")
    image = heif.HeifImageFile(io.BytesIO(data))
    bits = int(file.info.get("bit_depth") or 8)
    if bits > 8:
        values = np.asarray(file)
        values = values.reshape(*values.shape[:2], -1) >> (16 - bits)
        pixels = spread_bits(values, bits)
        space, frame = _SPACES[pixels.shape[-1]], split_alpha(pixels, has_alpha=pixels.shape[-1] % 2 == 0)
    else:
        image.load()
        frame, space = from_pil(image)
    return Decoded(frame, space, image, notes=tuple(notes))


def _heif() -> ModuleType:
    require_extra("heif", "pillow_heif", purpose="HEIC/HEIF", error=ImageError)
    import pillow_heif

    return pillow_heif


def read_jxl(data: bytes, max_pixels: int) -> Decoded:
    """A JPEG XL picture.

    Raises:
        ImageError: If pillow-jxl-plugin is not installed, or the file is damaged or too large.
    """
    require_extra("jxl", "pillow_jxl", purpose="JPEG XL", error=ImageError)
    from pillow_jxl.JpegXLImagePlugin import JXLImageFile

    header = jxl_header(data)
    if header is not None:  # the plug-in decodes when it opens
        check_size(header.width * header.height, max_pixels)
    image = JXLImageFile(io.BytesIO(data))
    check_size(image.width * image.height, max_pixels)
    animated = header is not None and header.animated
    notes = ["it is an animation: its first frame is taken"] if animated else []
    deep = _by_imagecodecs(data) if header is None or animated or header.bits != 8 else None
    if animated and deep is None:  # the plug-in shows the last frame
        require_extra("codecs", "imagecodecs", purpose="an animated JPEG XL", error=ImageError)
    if deep is not None:
        space = _SPACES[deep.shape[-1]]
        return Decoded(split_alpha(deep, has_alpha=deep.shape[-1] % 2 == 0), space, image, notes=tuple(notes))
    image.load()
    frame, space = from_pil(image)
    if header is not None and header.bits != 8 and frame.pixels.dtype == np.uint8:
        notes.append(f"its {header.bits} bits a channel become 8; to keep them: {install_command('codecs')}")
    return Decoded(frame, space, image, notes=tuple(notes))


def _by_imagecodecs(data: bytes) -> Pixels | None:
    """The first frame in its own depth; None where imagecodecs is not here or does not know its channels."""
    if not is_installed("imagecodecs"):
        return None
    from imagecodecs import jpegxl_decode

    pixels = np.asarray(jpegxl_decode(data, index=0))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[-1] not in _SPACES:
        return None
    if pixels.dtype.kind == "f":
        return unit_floats(pixels)
    return pixels


def read_raw(data: bytes, max_pixels: int) -> Decoded:
    """A camera's raw file, developed as LibRaw does by default: the camera's white balance, sRGB, 16 bits.

    Raises:
        ImageError: If rawpy is not installed, does not know the camera, or the file is damaged or too large.
    """
    require_extra(
        "raw",
        "rawpy",
        purpose="developing a camera's raw file",
        error=ImageError,
        otherwise="use a raw converter",
    )
    import rawpy

    try:
        with c_messages() as said, rawpy.imread(io.BytesIO(data)) as raw:
            count = raw.sizes.width * raw.sizes.height
            check_size(count, max_pixels)
            if len(data) * _FEWEST < count:  # LibRaw makes black of what is not there
                raise ImageError("the file is damaged (it ends too soon)")
            pixels = raw.postprocess(
                use_camera_wb=True,
                output_color=rawpy.ColorSpace.sRGB,  # type: ignore[attr-defined]
                output_bps=16,
                gamma=(2.4, 12.92),
            )
    except rawpy.LibRawError as error:  # type: ignore[attr-defined]
        reason = str(error).strip("b'")
        raise ImageError(
            f"it is a camera's raw file that LibRaw cannot develop ({reason}); use a raw converter"
        ) from error
    if pixels.min() == pixels.max():
        raise ImageError("the file is damaged (all its pixels are the same)")
    note = "developed from camera raw with LibRaw's defaults and the camera's white balance"
    return Decoded(Frame(np.ascontiguousarray(pixels)), "RGB", notes=(note, *damage_note(said)))
