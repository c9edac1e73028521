"""Other projects' networks as functions of a state dict, written from their published definitions.

Each layout has `make(generator) -> state`, random tensors under that project's keys, and
`forward(state, lr) -> sr`. Nothing of the package is used, so that a conversion can be checked against them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    name: str  # how the package calls the layout
    component: str
    scale: int
    args: dict[str, object]
    make: Callable[[], State]
    forward: Callable[[State, Tensor], Tensor]


def add_conv(s: State, name: str, inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> None:
    s[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel) / (inputs * kernel**2) ** 0.5
    if bias:
        s[f"{name}.bias"] = torch.randn(outputs) * 0.1


def add_norm(s: State, name: str, channels: int, *, tracked: bool = True) -> None:
    s[f"{name}.weight"] = torch.rand(channels) + 0.5
    s[f"{name}.bias"] = torch.randn(channels) * 0.1
    s[f"{name}.running_mean"] = torch.randn(channels) * 0.1
    s[f"{name}.running_var"] = torch.rand(channels) + 0.5
    if tracked:
        s[f"{name}.num_batches_tracked"] = torch.tensor(7)


def conv(s: State, name: str, x: Tensor) -> Tensor:
    weight = s[f"{name}.weight"]
    return F.conv2d(x, weight, s.get(f"{name}.bias"), padding=weight.shape[-1] // 2)


def norm(s: State, name: str, x: Tensor) -> Tensor:
    at = (None, slice(None), None, None)
    centred = x - s[f"{name}.running_mean"][at]
    return (
        centred / (s[f"{name}.running_var"][at] + 1e-5).sqrt() * s[f"{name}.weight"][at]
        + s[f"{name}.bias"][at]
    )


def prelu(s: State, name: str, x: Tensor) -> Tensor:
    return F.prelu(x, s[f"{name}.weight"])


def nearest(x: Tensor, factor: int = 2) -> Tensor:
    return x.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def bilinear(x: Tensor, scale: int) -> Tensor:
    return F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)


# leftthomas/SRGAN -----------------------------------------------------------------------------------------


def leftthomas(scale: int, end: str, *, tracked: bool) -> Case:
    steps = {2: 1, 4: 2, 8: 3}[scale]
    c = 6

    def make() -> State:
        s: State = {}
        add_conv(s, "block1.0", 3, c, 9)
        s["block1.1.weight"] = torch.tensor([0.2])
        for block in range(2, 7):
            for layer in (1, 2):
                add_conv(s, f"block{block}.conv{layer}", c, c, 3)
                add_norm(s, f"block{block}.bn{layer}", c, tracked=tracked)
            s[f"block{block}.prelu.weight"] = torch.tensor([0.1 * block])
        add_conv(s, "block7.0", c, c, 3)
        if end == "norm":
            add_norm(s, "block7.1", c, tracked=tracked)
        else:
            s["block7.1.weight"] = torch.tensor([0.3])
        for step in range(steps):
            add_conv(s, f"block8.{step}.conv", c, 4 * c, 3)
            s[f"block8.{step}.prelu.weight"] = torch.tensor([0.15])
        add_conv(s, f"block8.{steps}", c, 3, 9)
        return s

    def forward(s: State, x: Tensor) -> Tensor:
        first = x = prelu(s, "block1.1", conv(s, "block1.0", x))
        for block in range(2, 7):
            r = norm(s, f"block{block}.bn1", conv(s, f"block{block}.conv1", x))
            r = prelu(s, f"block{block}.prelu", r)
            x = x + norm(s, f"block{block}.bn2", conv(s, f"block{block}.conv2", r))
        x = conv(s, "block7.0", x)
        x = first + (norm if end == "norm" else prelu)(s, "block7.1", x)
        for step in range(steps):
            x = F.pixel_shuffle(conv(s, f"block8.{step}.conv", x), 2)
            x = prelu(s, f"block8.{step}.prelu", x)
        return (conv(s, f"block8.{steps}", x).tanh() + 1) / 2

    args = {"channels": c, "num_blocks": 5, "output": "tanh"}
    if end == "prelu":
        args["body_end"] = "prelu"
    return Case("leftthomas/SRGAN", "srresnet", scale, args, make, forward)


# Lornatang/SRGAN-PyTorch ----------------------------------------------------------------------------------


def lornatang(name: str, convs: tuple[str, str, str], scale: int) -> Case:
    first, second, third = convs
    factors = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}[scale]
    c, blocks = 5, 2

    def make() -> State:
        s: State = {}
        add_conv(s, f"{first}.0", 3, c, 9)
        s[f"{first}.1.weight"] = torch.tensor([0.2])
        for block in range(blocks):
            for index in (0, 3):
                add_conv(s, f"trunk.{block}.rcb.{index}", c, c, 3, bias=False)
                add_norm(s, f"trunk.{block}.rcb.{index + 1}", c)
            s[f"trunk.{block}.rcb.2.weight"] = torch.tensor([0.1])
        add_conv(s, f"{second}.0", c, c, 3, bias=False)
        add_norm(s, f"{second}.1", c)
        for step, factor in enumerate(factors):
            add_conv(s, f"upsampling.{step}.upsample_block.0", c, c * factor**2, 3)
            s[f"upsampling.{step}.upsample_block.2.weight"] = torch.tensor([0.3])
        add_conv(s, third, c, 3, 9)
        return s

    def forward(s: State, x: Tensor) -> Tensor:
        head = x = prelu(s, f"{first}.1", conv(s, f"{first}.0", x))
        for block in range(blocks):
            rcb = f"trunk.{block}.rcb"
            r = prelu(s, f"{rcb}.2", norm(s, f"{rcb}.1", conv(s, f"{rcb}.0", x)))
            x = x + norm(s, f"{rcb}.4", conv(s, f"{rcb}.3", r))
        x = head + norm(s, f"{second}.1", conv(s, f"{second}.0", x))
        for step, factor in enumerate(factors):
            up = f"upsampling.{step}.upsample_block"
            x = prelu(s, f"{up}.2", F.pixel_shuffle(conv(s, f"{up}.0", x), factor))
        return conv(s, third, x)  # clamped there; ours is clamped where the image is written

    args = {"channels": c, "num_blocks": blocks, "output": "unit"}
    return Case(name, "srresnet", scale, args, make, forward)


# MSRResNet of BasicSR and mmagic --------------------------------------------------------------------------


def msrresnet(project: str, scale: int) -> Case:
    basicsr = project == "BasicSR"
    body, up = ("body", "upconv{}") if basicsr else ("trunk_net", "upsample{}.upsample_conv")
    factors = {2: (2,), 3: (3,), 4: (2, 2)}[scale]
    c, blocks = 5, 3

    def make() -> State:
        s: State = {}
        add_conv(s, "conv_first", 3, c, 3)
        for block in range(blocks):
            add_conv(s, f"{body}.{block}.conv1", c, c, 3)
            add_conv(s, f"{body}.{block}.conv2", c, c, 3)
        for step, factor in enumerate(factors, 1):
            add_conv(s, up.format(step), c, c * factor**2, 3)
        add_conv(s, "conv_hr", c, c, 3)
        add_conv(s, "conv_last", c, 3, 3)
        return s

    def forward(s: State, lr: Tensor) -> Tensor:
        x = F.leaky_relu(conv(s, "conv_first", lr), 0.1)
        for block in range(blocks):
            x = x + conv(s, f"{body}.{block}.conv2", conv(s, f"{body}.{block}.conv1", x).relu())
        for step, factor in enumerate(factors, 1):
            x = F.pixel_shuffle(conv(s, up.format(step), x), factor)
            if basicsr:
                x = F.leaky_relu(x, 0.1)
        x = conv(s, "conv_last", F.leaky_relu(conv(s, "conv_hr", x), 0.1))
        return x + bilinear(lr, scale)

    args = {"channels": c, "num_blocks": blocks, "upsample_activation": basicsr}
    return Case(f"{project} MSRResNet", "msrresnet", scale, args, make, forward)


# RRDBNet --------------------------------------------------------------------------------------------------


def rrdb(
    name: str, keys: dict[str, str], scale: int, *, doublings: int | None = None, plus: bool = False
) -> Case:
    steps = max(2, scale.bit_length() - 1) if doublings is None else doublings
    c, g, blocks, unshuffle = 6, 4, 2, 2**steps // scale
    dense = keys["dense"]
    ups = [keys["up"].format(n=n, flat=3 * n) for n in range(1, steps + 1)]
    hr, last = 3 * steps + 2, 3 * steps + 4
    ends = {k: keys[k].format(blocks=blocks, hr=hr, last=last) for k in ("after", "hr", "last")}

    def past(block: int, rdb: int) -> str:
        return dense.format(b=block, r=rdb, i="1x1").removesuffix(".0")

    def make() -> State:
        s: State = {}
        add_conv(s, keys["first"], 3 * unshuffle**2, c, 3)
        for block in range(blocks):
            for rdb in (1, 2, 3):
                for i in range(1, 6):
                    outputs = c if i == 5 else g
                    add_conv(s, dense.format(b=block, r=rdb, i=i), c + g * (i - 1), outputs, 3)
                if plus:
                    add_conv(s, past(block, rdb), c, g, 1, bias=False)
        for part in (ends["after"], *ups, ends["hr"]):
            add_conv(s, part, c, c, 3)
        add_conv(s, ends["last"], c, 3, 3)
        return s

    def act(x: Tensor) -> Tensor:
        return F.leaky_relu(x, 0.2)

    def forward(s: State, x: Tensor) -> Tensor:
        x = first = conv(s, keys["first"], F.pixel_unshuffle(x, unshuffle))
        for block in range(blocks):
            inner = x
            for rdb in (1, 2, 3):
                parts = [inner]
                for i in range(1, 6):
                    y = conv(s, dense.format(b=block, r=rdb, i=i), torch.cat(parts, 1))
                    y = y if i == 5 else act(y)
                    if plus and i == 2:
                        y = y + conv(s, past(block, rdb), inner)
                    if plus and i == 4:
                        y = y + parts[2]
                    parts.append(y)
                inner = inner + 0.2 * parts[-1]
            x = x + 0.2 * inner
        x = first + conv(s, ends["after"], x)
        for part in ups:
            x = act(conv(s, part, nearest(x)))
        return conv(s, ends["last"], act(conv(s, ends["hr"], x)))

    args: dict[str, object] = {"channels": c, "num_blocks": blocks, "growth_channels": g}
    args |= {"doublings": doublings} if doublings is not None else {}
    args |= {"plus": True} if plus else {}
    return Case(name, "rrdb", scale, args, make, forward)


NEW_KEYS = {
    "first": "conv_first",
    "dense": "body.{b}.rdb{r}.conv{i}",
    "after": "conv_body",
    "up": "conv_up{n}",
    "hr": "conv_hr",
    "last": "conv_last",
}
KAIR_KEYS = {
    "first": "conv_first",
    "dense": "RRDB_trunk.{b}.RDB{r}.conv{i}",
    "after": "trunk_conv",
    "up": "upconv{n}",
    "hr": "HRconv",
    "last": "conv_last",
}
FLAT_KEYS = {
    "first": "model.0",
    "dense": "model.1.sub.{b}.RDB{r}.conv{i}.0",
    "after": "model.1.sub.{blocks}",
    "up": "model.{flat}",
    "hr": "model.{hr}",
    "last": "model.{last}",
}


# SRVGGNetCompact ------------------------------------------------------------------------------------------


def compact(scale: int) -> Case:
    c, convs = 6, 3

    def make() -> State:
        s: State = {}
        add_conv(s, "body.0", 3, c, 3)
        s["body.1.weight"] = torch.rand(c)
        for index in range(1, convs + 1):
            add_conv(s, f"body.{2 * index}", c, c, 3)
            s[f"body.{2 * index + 1}.weight"] = torch.rand(c)
        add_conv(s, f"body.{2 * convs + 2}", c, 3 * scale**2, 3)
        return s

    def forward(s: State, lr: Tensor) -> Tensor:
        x = lr
        for index in range(convs + 1):
            x = prelu(s, f"body.{2 * index + 1}", conv(s, f"body.{2 * index}", x))
        return F.pixel_shuffle(conv(s, f"body.{2 * convs + 2}", x), scale) + nearest(lr, scale)

    args = {"channels": c, "num_convs": convs}
    return Case("Real-ESRGAN SRVGGNetCompact", "compact", scale, args, make, forward)


# SPAN -----------------------------------------------------------------------------------------------------


def span(scale: int, *, norm: bool) -> Case:
    c, blocks = 6, 2

    def make() -> State:
        s: State = {}

        def add_3xc(name: str, inputs: int, outputs: int) -> None:
            add_conv(s, f"{name}.sk", inputs, outputs, 1)
            add_conv(s, f"{name}.conv.0", inputs, 2 * inputs, 1)
            add_conv(s, f"{name}.conv.1", 2 * inputs, 2 * outputs, 3)
            add_conv(s, f"{name}.conv.2", 2 * outputs, outputs, 1)
            add_conv(s, f"{name}.eval_conv", inputs, outputs, 3)  # computed anew there, too

        add_3xc("conv_1", 3, c)
        if norm:  # it sees values up to 255
            for name in ("sk", "conv.0"):
                s[f"conv_1.{name}.weight"] /= 255
        for block in range(1, blocks + 1):
            for part in ("c1_r", "c2_r", "c3_r"):
                add_3xc(f"block_{block}.{part}", c, c)
        add_conv(s, "conv_cat", 4 * c, c, 1)
        add_3xc("conv_2", c, c)
        add_conv(s, "upsampler.0", c, 3 * scale**2, 3)
        if not norm:
            s["no_norm"] = torch.zeros(1)
        return s

    def conv_3xc(s: State, name: str, x: Tensor) -> Tensor:
        """Not folded, as in training there; padded first, so that biases count beyond the border as well."""
        wide = conv(s, f"{name}.conv.0", F.pad(x, (1, 1, 1, 1)))
        wide = F.conv2d(wide, s[f"{name}.conv.1.weight"], s[f"{name}.conv.1.bias"])
        return conv(s, f"{name}.conv.2", wide) + conv(s, f"{name}.sk", x)

    def forward(s: State, lr: Tensor) -> Tensor:
        mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
        x = first = conv_3xc(s, "conv_1", (lr - mean) * 255 if norm else lr)
        ends = []
        for block in range(1, blocks + 1):
            inner = F.silu(conv_3xc(s, f"block_{block}.c1_r", x))  # in place there: what is joined below
            z = conv_3xc(s, f"block_{block}.c3_r", F.silu(conv_3xc(s, f"block_{block}.c2_r", inner)))
            x = (z + x) * (torch.sigmoid(z) - 0.5)
            ends.append((x, inner))
        joined = torch.cat([first, conv_3xc(s, "conv_2", x), ends[0][0], ends[-1][1]], 1)
        return F.pixel_shuffle(conv(s, "upsampler.0", conv(s, "conv_cat", joined)), scale)

    args = {"channels": c, "num_blocks": blocks, "norm": norm}
    return Case("SPAN", "span", scale, args, make, forward)


LORNATANG = "Lornatang/SRGAN-PyTorch"
CASES = (
    leftthomas(4, "prelu", tracked=False),
    leftthomas(2, "norm", tracked=True),
    leftthomas(8, "norm", tracked=True),
    lornatang(LORNATANG, ("conv1", "conv2", "conv3"), 4),
    lornatang(LORNATANG, ("conv1", "conv2", "conv3"), 3),
    lornatang(f"{LORNATANG} of 2022", ("conv_block1", "conv_block2", "conv_block3"), 4),
    *(msrresnet(project, scale) for project in ("BasicSR", "mmagic") for scale in (2, 3, 4)),
    *(rrdb("BasicSR and Real-ESRGAN RRDBNet", NEW_KEYS, scale) for scale in (1, 2, 4, 8)),
    rrdb("BasicSR and Real-ESRGAN RRDBNet", NEW_KEYS, 4, plus=True),
    *(rrdb("KAIR, BSRGAN and ESRGAN RRDBNet", KAIR_KEYS, scale) for scale in (2, 4)),
    *(rrdb("ESRGAN of 2018", FLAT_KEYS, scale) for scale in (1, 2, 4, 8)),
    *(rrdb("ESRGAN of 2018", FLAT_KEYS, s, doublings=n) for s, n in ((1, 0), (2, 1), (1, 1), (2, 3), (4, 3))),
    rrdb("ESRGAN of 2018", FLAT_KEYS, 4, plus=True),
    *(compact(scale) for scale in (1, 2, 4, 8)),
    span(4, norm=True),
    span(2, norm=False),
)
