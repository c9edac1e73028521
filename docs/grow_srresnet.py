"""Write weights for the paper's SRResNet that do what an EDSR does, to train on from there.

    python docs/grow_srresnet.py edsr-x4 OUTPUT.safetensors PHOTOS...

A larger network that starts as a smaller, trained one needs a fraction of the steps (Chen et al. 2016,
Net2Net, arXiv 1511.05641). Blocks and head are copied exactly: ReLU is a PReLU of slope 0, each BatchNorm
undoes its own normalisation, blocks beyond the EDSR's begin as nothing. EDSR adds the bilinearly enlarged
image at its end, which SRResNet cannot. So the three directions of its features that it uses least are given
to the image's colours, and its last convolution is fitted again, by least squares over crops of the
photographs, to give the whole image from the features.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn

from kornia_srgan import load_generator
from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.components.generators.edsr import ResidualBlock as PlainBlock
from kornia_srgan.components.generators.srresnet import ResidualBlock, SRResNet
from kornia_srgan.components.transforms.resize import MatlabBicubic
from kornia_srgan.data.images import find_images, read_rgb
from kornia_srgan.weights.files import save_weights

CROPS, CROP = 96, 192
PAPER = {"channels": 64, "num_blocks": 16}
SHIFT = 1.5  # keeps an image in [-1, 1] and its overshoot positive, where PReLU changes nothing


def photo_crops(folders: list[str]) -> Tensor:
    """LR crops of `CROPS` photographs, `(B, 3, CROP / 4, CROP / 4)` in [0, 1]."""
    paths = find_images(folders)
    generator = torch.Generator().manual_seed(0)
    crops = []
    for index in torch.randperm(len(paths), generator=generator).tolist():
        if len(crops) == CROPS:
            break
        image = torch.from_numpy(read_rgb(paths[index])).permute(2, 0, 1)
        if min(image.shape[1:]) >= CROP:
            top, left = ((size - CROP) // 2 for size in image.shape[1:])
            crops.append(image[:, top : top + CROP, left : left + CROP])
    return MatlabBicubic()(torch.stack(crops).float() / 255, (CROP // 4, CROP // 4))


def least_used(source: EDSR, lr: Tensor) -> Tensor:
    """Three orthonormal directions of the features, `(C, 3)`, that matter least to what reads them."""
    x = features = source.head(lr - 0.5)
    readers: list[tuple[Tensor, Tensor]] = []
    for block in source.body:
        convolution = block.conv1 if isinstance(block, PlainBlock) else block
        assert isinstance(convolution, nn.Conv2d)
        readers.append((convolution.weight, x))
        x = block(x) if isinstance(block, PlainBlock) else features + block(x)
    readers.append((source.tail[0].weight, x))
    gains = [torch.einsum("oiyx,ojyx->ij", weight, weight) for weight, _ in readers]
    moments = [torch.einsum("bihw,bjhw->ij", x, x) for _, x in readers]
    with torch.enable_grad():
        free = torch.randn(len(gains[0]), 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
        optimizer = torch.optim.Adam([free], 0.05)
        for _ in range(600):
            directions = torch.linalg.qr(free)[0]
            plane = directions @ directions.T
            shares = [
                (plane @ moment @ plane * gain).sum() / (moment * gain).sum()
                for gain, moment in zip(gains, moments, strict=True)
            ]
            optimizer.zero_grad()
            torch.stack(shares).sum().backward()
            optimizer.step()
    return torch.linalg.qr(free)[0].detach()


def carry_colours(source: EDSR, directions: Tensor) -> None:
    """Change an EDSR so that those directions of its features are the image, from its head to its tail."""
    keep = torch.eye(len(directions)) - directions @ directions.T
    head, last = source.head, source.body[-1]
    for writer in (head, *(b.conv2 for b in source.body if isinstance(b, PlainBlock)), last):
        writer.weight.copy_(torch.einsum("po,oiyx->piyx", keep, writer.weight))
        writer.bias.copy_(keep @ writer.bias)
    for reader in (*(b.conv1 for b in source.body if isinstance(b, PlainBlock)), last):
        reader.weight.copy_(torch.einsum("oiyx,ip->opyx", reader.weight, keep))
    head.weight[:, :, 1, 1] += directions


def copy_convolution(source: nn.Conv2d, target: nn.Conv2d, norm: nn.BatchNorm2d, outputs: Tensor) -> None:
    """Copy a convolution and let the BatchNorm after it undo its own normalisation and add the bias."""
    target.weight.copy_(source.weight)
    assert source.bias is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    variance, mean = torch.var_mean(outputs - source.bias[:, None, None], dim=(0, 2, 3), correction=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean + source.bias)


def copy_head(source: EDSR, target: SRResNet) -> None:
    """Copy the first convolution; the image comes uncentred, and PReLU does nothing."""
    convolution, activation = target.head
    convolution.weight.zero_()
    convolution.weight[:, :, 3:6, 3:6] = source.head.weight
    convolution.bias.copy_(source.head.bias - 0.5 * source.head.weight.sum((1, 2, 3)))
    activation.weight.fill_(1)


def copy_body(source: EDSR, target: SRResNet, features: Tensor) -> Tensor:
    """Copy the blocks, spread over the target's; the result is what leaves the body."""
    old = [block for block in source.body if isinstance(block, PlainBlock)]
    new = [block for block in target.body if isinstance(block, ResidualBlock)]
    places = [round(i * (len(new) - 1) / max(1, len(old) - 1)) for i in range(len(old))]
    x = features
    for block in new:
        block.layers[4].weight.zero_()  # nothing, until training gives it something to do
    for place, block in zip(places, old, strict=True):
        layers = new[place].layers
        hidden = block.conv1(x)
        copy_convolution(block.conv1, layers[0], layers[1], hidden)
        layers[2].weight.zero_()
        residual = block.conv2(hidden.relu())
        copy_convolution(block.conv2, layers[3], layers[4], residual)
        x = x + residual
    last, (end, norm) = source.body[-1], list(target.body)[-2:]
    outputs = last(x)
    copy_convolution(last, end, norm, outputs)
    return features + outputs


def fit_tail(features: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """Weight `(48, C, 3, 3)` and bias of the convolution that gives `image` before its pixel shuffle."""
    wanted = (
        nn.functional.pixel_unshuffle(image, 4)[:, :, 1:-1, 1:-1].permute(0, 2, 3, 1).flatten(0, 2).double()
    )
    size = features.shape[1] * 9 + 1
    gram, right = torch.zeros(size, size).double(), torch.zeros(size, wanted.shape[1]).double()
    rows = len(wanted) // len(features)
    for index, one in enumerate(features):
        columns = nn.functional.unfold(one[None], 3)[0].T.double()
        columns = torch.cat([columns, torch.ones(len(columns), 1).double()], dim=1)
        gram += columns.T @ columns
        right += columns.T @ wanted[index * rows : (index + 1) * rows]
    gram += 1e-6 * gram.trace() / size * torch.eye(size).double()
    solution = torch.linalg.solve(gram, right).float().T
    return solution[:, :-1].reshape(-1, features.shape[1], 3, 3), solution[:, -1]


def place_tail(target: SRResNet, weight: Tensor, bias: Tensor) -> None:
    """Carry the image through both x2 blocks: 12 channels after the first, 3 after the second."""
    (first, _, act1), (second, _, act2) = target.upsample
    act1.weight.fill_(0.25)
    act2.weight.fill_(0.25)
    # A shuffle by 4 has phases (y, x); by 2 and 2 again they are (y // 2, x // 2), then (y % 2, x % 2).
    for colour in range(3):
        for y in range(4):
            for x in range(4):
                middle = colour * 4 + (y % 2) * 2 + x % 2  # this channel after the first shuffle
                row = middle * 4 + (y // 2) * 2 + x // 2
                first.weight[row] = weight[colour * 16 + y * 4 + x]
                first.bias[row] = bias[colour * 16 + y * 4 + x] + SHIFT
        for phase in range(4):
            second.weight[colour * 4 + phase] = 0
            second.weight[colour * 4 + phase, colour * 4 + phase, 1, 1] = 1
            second.bias[colour * 4 + phase] = 0
    target.tail.weight.mul_(0.1)
    target.tail.weight[:, :3] = 0
    for colour in range(3):
        target.tail.weight[colour, colour, 4, 4] = 1
    assert target.tail.bias is not None
    target.tail.bias.fill_(-SHIFT)


@torch.no_grad()
def grow(source: EDSR, lr: Tensor, num_blocks: int = 16) -> SRResNet:
    """An SRResNet that enlarges as the source does, an x4 EDSR with a direct tail; measured on `lr`."""
    image, source = source(lr), deepcopy(source)
    carry_colours(source, least_used(source, lr))
    torch.manual_seed(0)
    target = SRResNet(scale=4, channels=source.head.out_channels, num_blocks=num_blocks).eval()
    copy_head(source, target)
    features = copy_body(source, target, source.head(lr - 0.5))
    place_tail(target, *fit_tail(features, image * 2 - 1))
    return target


def main() -> None:
    name, output, *folders = sys.argv[1:]
    loaded = load_generator(name)
    assert isinstance(loaded.module, EDSR)
    lr = photo_crops(folders)
    generator = grow(loaded.module, lr)
    with torch.no_grad():
        difference = (generator(lr) - loaded.module(lr)).square().mean().sqrt()
    spec = replace(loaded.spec, name="srresnet", args=PAPER, training={"grown_from": name})
    save_weights(output, generator.state_dict(), spec)
    print(f"{output}: RMS difference to {name} {255 * difference:.2f} grey levels")


if __name__ == "__main__":
    main()
