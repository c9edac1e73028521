"""Write weights for a larger EDSR that do what a smaller, trained one does, to train on from there.

    python docs/grow_edsr.py edsr-x4 OUTPUT.safetensors --channels 96 --blocks 16

A larger network that starts as a smaller one needs a fraction of the steps (Chen et al. 2016, Net2Net,
arXiv 1511.05641). The old channels read only old channels, so they compute what they did. The new channels
read everything, and nothing reads them yet: the weights from them begin at 0, where training has a gradient
at once. Blocks beyond the smaller network's begin as nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from torch import nn

from kornia_srgan import load_generator
from kornia_srgan.components.generators.edsr import EDSR, ResidualBlock
from kornia_srgan.weights.files import save_weights


def widen(source: nn.Conv2d, target: nn.Conv2d, *, quiet: bool = False) -> None:
    """Copy a convolution into a wider one; with `quiet`, its new outputs begin at 0."""
    outputs, inputs = source.weight.shape[:2]
    if quiet:
        target.weight.zero_()
    target.weight[:outputs].zero_()
    target.weight[:outputs, :inputs] = source.weight
    assert source.bias is not None
    assert target.bias is not None
    target.bias.zero_()
    target.bias[:outputs] = source.bias


def grow(source: EDSR, target: EDSR) -> None:
    """Make `target` compute what `source` does; its first blocks are the source's."""
    old = [block for block in source.body if isinstance(block, ResidualBlock)]
    new = [block for block in target.body if isinstance(block, ResidualBlock)]
    places = [round(i * (len(new) - 1) / max(1, len(old) - 1)) for i in range(len(old))]
    for block in new:
        block.conv2.weight.zero_()
    for place, block in zip(places, old, strict=True):
        widen(block.conv1, new[place].conv1)
        widen(block.conv2, new[place].conv2, quiet=True)
    for reader, writer in ((source.head, target.head), (source.tail[0], target.tail[0])):
        widen(reader, writer)
    last, wider = source.body[-1], target.body[-1]
    assert isinstance(last, nn.Conv2d)
    assert isinstance(wider, nn.Conv2d)
    widen(last, wider)


@torch.no_grad()
def main() -> None:
    """Read the arguments, grow, compare, and write."""
    parser = argparse.ArgumentParser(description="Grow a trained EDSR.")
    parser.add_argument("weights", help="the smaller EDSR, by name or file")
    parser.add_argument("output", help="the .safetensors file to write")
    parser.add_argument("--channels", type=int, default=96)
    parser.add_argument("--blocks", type=int, default=16)
    args = parser.parse_args()
    torch.manual_seed(0)
    loaded = load_generator(args.weights)
    source = loaded.module
    assert isinstance(source, EDSR)
    sizes = {**loaded.spec.args, "channels": args.channels, "num_blocks": args.blocks}
    target = EDSR(**sizes)
    grow(source, target)
    lr = torch.rand(1, 3, 24, 24)
    print(f"largest difference of the two: {(source(lr) - target(lr)).abs().max():.2e}")
    spec = replace(loaded.spec, args=sizes, training={"grown_from": args.weights})
    save_weights(args.output, target.state_dict(), spec)


if __name__ == "__main__":
    main()
