"""The one way from a name to an object: types are checked and nested components are built by annotation."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from kornia_srgan.errors import ArgumentError, UnknownComponentError
from kornia_srgan.registry.build import build_component
from kornia_srgan.registry.catalog import IMAGE_LOSSES, REGISTRIES
from kornia_srgan.registry.registry import Registry


class Wheel:
    def __init__(self, *, size: int = 1):
        if size < 0:
            raise ArgumentError("size must be positive")
        self.size = size


class Car:
    def __init__(
        self,
        *,
        front: Wheel,
        rear: tuple[Wheel | str | dict, ...] = (),
        spare: Wheel | None = None,
        marked: Annotated[list[Wheel], "any note"] = [],  # noqa: B006
        colour: Literal["red", "blue"] = "red",
        weight: float = 1.0,
        name: str = "",
    ):
        if weight == 13:
            raise ValueError("13 brings bad luck")
        self.front, self.rear, self.spare, self.marked = front, rear, spare, marked
        self.colour, self.weight, self.name = colour, weight, name


@pytest.fixture
def cars():
    nested = {}
    wheels, cars = Registry("wheel", None, nested), Registry("car", None, nested)
    nested |= {Wheel: wheels, Car: cars}
    wheels.register("round")(Wheel)
    cars.register("car")(Car)
    return cars


def sizes(wheels):
    return [wheel.size for wheel in wheels]


def test_a_nested_component_is_a_name_a_mapping_or_an_object(cars):
    own = Wheel(size=9)
    assert cars.create("car", front="round").front.size == 1
    assert cars.create("car", front={"name": "round", "args": {"size": 3}}).front.size == 3
    assert cars.create("car", front={"name": "round", "args": None}).front.size == 1
    assert cars.create("car", front=own).front is own


def test_nesting_goes_through_tuples_lists_unions_and_notes(cars):
    made = cars.create(
        "car",
        front="round",
        rear=["round", {"name": "round", "args": {"size": 2}}],
        spare="round",
        marked=["round"],
    )
    assert type(made.rear) is tuple
    assert sizes(made.rear) == [1, 2]
    assert sizes(made.marked) == [1]
    assert made.spare.size == 1
    assert cars.create("car", front="round", spare=None).spare is None


def test_a_string_that_is_no_component_stays_a_string(cars):
    assert cars.create("car", front="round", name="round").name == "round"


def test_types_are_checked_and_converted(cars):
    assert cars.create("car", front="round", weight=2).weight == 2.0
    with pytest.raises(ArgumentError, match=r"^car\.colour: should be 'red' or 'blue', got 'green'$"):
        cars.create("car", front="round", colour="green")
    with pytest.raises(ArgumentError, match=r"^mine\.args\.front: .*Wheel.*, got 4$"):
        cars.create("car", path="mine", front=4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"front": "rund"}, r"^a\.args\.front\.name: unknown wheel 'rund'; did you mean 'round'\?"),
        ({"front": "round", "rear": ["round", "rund"]}, r"^a\.args\.rear\.1\.name: unknown wheel 'rund'"),
        (
            {"front": {"name": "round", "args": {"siz": 1}}},
            r"^a\.args\.front\.args\.siz: unknown argument; did you mean 'size'\?",
        ),
        (
            {"front": {"name": "round", "args": {"size": "big"}}},
            r"^a\.args\.front\.args\.size: must be a whole number",
        ),
        ({"front": {"name": "round", "args": {"size": -1}}}, r"^a\.args\.front: size must be positive"),
        (
            {"front": {"nam": "round"}},
            r"^a\.args\.front: a wheel is a name or has the keys 'name' and 'args'; got",
        ),
        ({"front": {"name": "round", "arg": {}}}, r"has the keys 'name' and 'args'"),
        ({"front": {"name": "round", "args": 3}}, r"has the keys 'name' and 'args'"),
        ({"front": "round", "weight": 13}, r"^a: 13 brings bad luck"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(cars, arguments, said):
    with pytest.raises((ArgumentError, UnknownComponentError), match=said):
        cars.create("car", path="a", **arguments)


def test_without_a_path_the_components_own_message_stays_as_it_is(cars):
    with pytest.raises(ArgumentError, match=r"^size must be positive$"):
        cars.nested[Wheel].create("round", size=-1)
    with pytest.raises(ArgumentError, match=r"^car: 13 brings bad luck$"):
        cars.create("car", front="round", weight=13)


def test_context_fills_in_and_must_not_be_contradicted():
    registry = Registry("net")
    registry.register("net")(lambda *, scale=4: scale)
    registry.register("bare")(lambda: "none")
    assert build_component(registry, "net", {}, context={"scale": 2}) == 2
    assert build_component(registry, "bare", {}, context={"scale": 2}) == "none"
    with pytest.raises(ArgumentError, match=r"^g\.args\.scale: 3 contradicts scale 2; leave it out here$"):
        build_component(registry, "net", {"scale": 3}, path="g", context={"scale": 2})


def test_every_registry_builds_what_its_contract_annotates():
    built = next(iter(REGISTRIES.values())).nested
    assert list(built.values()) == list(REGISTRIES.values())


def test_an_extractor_is_built_by_name_without_a_config():
    extractor = {"name": "timm", "args": {"model": "resnet10t", "layers": [0], "weights": "random"}}
    loss = IMAGE_LOSSES.create("perceptual", extractor=extractor)
    assert list(loss.extractor.layers) == ["0"]
    with pytest.raises(UnknownComponentError, match=r"perceptual\.extractor\.name: .*'timm'"):
        IMAGE_LOSSES.create("perceptual", extractor="tim")
