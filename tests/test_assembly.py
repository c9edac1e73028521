"""Errors of a run's parts say at which key of the recipe, besides in their message."""

import pytest
import torch
from torch import nn

from kornia_srgan.assembly import assemble, load_generator
from kornia_srgan.config.io import load_config
from kornia_srgan.errors import UserError
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.spec import WeightSpec

SMALL = {"generator.args.num_blocks": 1, "generator.args.channels": 4}


class Wrong(nn.Module):
    scale = 3

    def __init__(self, scale: int = 4) -> None:
        super().__init__()


def no_module(scale: int = 4) -> object:
    return object()


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"generator.name": "srresnt"}, "generator.name"),
        ({"generator.args.num_block": 1}, "generator.args.num_block"),
        ({"generator.args.num_blocks": "x"}, "generator.args.num_blocks"),
        ({"generator.args.num_blocks": 0}, "generator.args.num_blocks"),
        ({"generator.args.scale": 2}, "generator.args.scale"),
        ({"generator.args.bands": 4}, "generator.args.bands"),
        ({"generator": {"name": "init"}}, "generator"),
        ({"generator": {"name": "wrong"}}, "generator"),
        ({"generator": {"name": "none"}}, "generator"),
        ({"init": "srresnet-x4", "generator": {"name": "edsr"}}, "init"),
        ({"init": "srresnet-x4", "channels": 4, "data.range": [0, 1]}, "init"),
        (
            {"data.augmentations": [{"name": "mixup", "args": {"alpha": 0}}]},
            "data.augmentations.0.args.alpha",
        ),
        ({"data.resizer": {"name": "bicubik"}}, "data.resizer.name"),
        ({"stages.0.losses": [{"name": "charbonnier", "args": {"eps": 0}}]}, "stages.0.losses.0.args.eps"),
    ],
)
def test_the_key_is_named(values, where):
    config = load_config("srresnet", values=SMALL | values)
    with GENERATORS.temporary():
        GENERATORS.register("wrong")(Wrong)
        GENERATORS.register("none")(no_module)
        with pytest.raises(UserError) as caught:
            assemble(config)
    assert caught.value.where == where
    if where != "generator.args.bands":
        said = str(caught.value).partition(": ")[0]  # of an argument's value, the component says the rest
        assert where == said or where.startswith(f"{said}.args.")
        assert str(caught.value).count(f"{said}: ") == 1


@pytest.mark.parametrize(
    "spec",
    [
        WeightSpec(name="unheard_of", args={}, scale=4),
        WeightSpec(name="of_a_plugin", args={}, scale=4, plugin="p.py"),
        WeightSpec(name="srresnet", args={"num_block": 1}, scale=4),
    ],
)
def test_a_weight_file_is_named(tmp_path, spec):
    path = tmp_path / "a.safetensors"
    save_weights(path, {"x": torch.zeros(1)}, spec)
    with pytest.raises(UserError) as caught:
        load_generator(path)
    assert caught.value.where == str(path)
    assert str(caught.value).count(str(path)) == 1
