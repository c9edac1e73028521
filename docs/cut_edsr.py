"""Write weights for a shallower EDSR from a trained one, to train on from there.

    python docs/cut_edsr.py edsr-x4 OUTPUT.safetensors --blocks 4

Each block adds a little to its input, so a network without some of its blocks still enlarges, only worse. It
learns back most of what it lost in a fraction of the steps that a new network needs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch

from kornia_srgan import load_generator
from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.weights.files import save_weights


def cut(source: EDSR, blocks: int) -> EDSR:
    """The network with so many of its blocks, at even distances, the first and the last among them."""
    *old, last = source.body
    if not 2 <= blocks <= len(old):
        raise SystemExit(f"--blocks must be 2 to {len(old)}; got {blocks}")
    kept = [old[round(i * (len(old) - 1) / (blocks - 1))] for i in range(blocks)]
    source.body = torch.nn.Sequential(*kept, last)
    return source


def main() -> None:
    """Read the arguments, cut, and write."""
    parser = argparse.ArgumentParser(description="Cut blocks out of a trained EDSR.")
    parser.add_argument("weights", help="the deeper EDSR, by name or file")
    parser.add_argument("output", help="the .safetensors file to write")
    parser.add_argument("--blocks", type=int, default=4)
    given = parser.parse_args()
    loaded = load_generator(given.weights)
    source = loaded.module
    if not isinstance(source, EDSR):
        raise SystemExit(f"{given.weights} is no EDSR")
    state = cut(source, given.blocks).state_dict()
    sizes = {**loaded.spec.args, "num_blocks": given.blocks}
    save_weights(given.output, state, replace(loaded.spec, args=sizes, training={"cut_from": given.weights}))


if __name__ == "__main__":
    main()
