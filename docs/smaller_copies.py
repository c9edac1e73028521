"""Write photographs and smaller copies of them: more of a small set, and sharper than the originals.

    python docs/smaller_copies.py OUTPUT PHOTOS...

Each picture is stored as PNG in OUTPUT, and again at 0.7 of its size; those of 1,000 pixels or more also at
0.5. A copy with a side below 192 pixels is left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from kornia_srgan.data.images import find_images, read_rgb

SHORTEST, LARGE = 192, 1000


def main() -> None:
    """Read the arguments and write the copies."""
    parser = argparse.ArgumentParser(description="Write photographs and smaller copies of them.")
    parser.add_argument("output", type=Path, help="a folder that is made")
    parser.add_argument("folders", nargs="+", help="folders of photographs")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(find_images(args.folders)):
        photo = Image.fromarray(read_rgb(path))
        for share in (1.0, 0.7, 0.5) if max(photo.size) >= LARGE else (1.0, 0.7):
            size = round(photo.width * share), round(photo.height * share)
            if share == 1 or min(size) >= SHORTEST:
                copy = photo if share == 1 else photo.resize(size, Image.Resampling.BICUBIC)
                copy.save(args.output / f"{number:05}-{100 * share:.0f}.png", compress_level=1)


if __name__ == "__main__":
    main()
