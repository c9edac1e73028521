import pytest

from kornia_srgan.errors import ArgumentError, DuplicateComponentError, UnknownComponentError
from kornia_srgan.registry.entry import registering_from
from kornia_srgan.registry.registry import Registry


def plain():
    return {}


@pytest.fixture
def registry():
    registry = Registry("generator")

    @registry.register("small-net", aliases=("Tiny",), summary="a small one", paper="Us 2026")
    class SmallNet:
        """First line.

        More.
        """

        def __init__(self, *, scale: int = 4, num_blocks: int):
            self.scale, self.num_blocks = scale, num_blocks

    registry.SmallNet = SmallNet  # pyright: ignore
    return registry


def test_register_returns_the_object_unchanged():
    registry = Registry("thing")

    def make(*, x: int = 1):
        return x

    assert registry.register("make")(make) is make
    assert registry.get("make").load() is make
    assert registry.create("make", x=3) == 3


@pytest.mark.parametrize("name", ["small-net", "small_net", "SMALL_Net", " tiny "])
def test_names_are_normalised_and_aliases_work(registry, name):
    made = registry.create(name, num_blocks=2)
    assert type(made) is registry.SmallNet
    assert made.num_blocks == 2
    assert name in registry
    assert registry.names() == ["small_net"]


def test_summary_is_the_first_line_of_the_docstring_by_default():
    registry = Registry("thing")

    @registry.register("x")
    def x():
        """Do x.

        At length.
        """

    assert registry.get("x").summary == "Do x."


def test_duplicate_names_both_sources_and_changes_nothing(registry):
    before = registry.entries()
    with (
        registering_from("my_plugin.py"),
        pytest.raises(
            DuplicateComponentError, match=r"'tiny' from my_plugin\.py.*by tests\.registry\.test_registry"
        ),
    ):
        registry.register("other", aliases=("tiny",))(plain)
    assert registry.entries() == before
    assert "other" not in registry


def test_an_alias_that_repeats_the_name():
    registry = Registry("thing")
    with pytest.raises(DuplicateComponentError, match="repeats"):
        registry.register("a-b", aliases=("a_b",))(plain)
    assert len(registry) == 0


def test_override_replaces_the_old_entry_with_all_its_names(registry):
    registry.register("tiny", override=True)(plain)
    assert registry.create("tiny") == {}
    assert "small_net" not in registry  # else the old one would live on under half its names


def test_a_miss_discovers_plugins_once_then_suggests():
    calls = []
    registry = Registry("generator", lambda: calls.append(1))
    registry.register("srresnet")(plain)
    registry.get("srresnet")
    assert calls == []
    with pytest.raises(UnknownComponentError) as caught:
        registry.get("srresnt", path="generator.name")
    assert calls == [1]
    assert str(caught.value) == (
        "generator.name: unknown generator 'srresnt'; did you mean 'srresnet'? known: srresnet"
    )


def test_discovery_can_bring_the_missing_name():
    registry = Registry("generator", lambda: registry.register("late")(plain) and None)
    assert registry.create("late") == {}


def test_a_component_may_have_an_argument_called_name():
    registry = Registry("thing")
    registry.register("greet")(lambda *, name: name)
    assert registry.create("greet", name="Ada") == "Ada"


def test_unknown_argument_is_refused_with_path_and_suggestion(registry):
    with pytest.raises(ArgumentError) as caught:
        registry.create("tiny", path="generator", num_block=3)
    assert str(caught.value) == "generator.args.num_block: unknown argument; did you mean 'num_blocks'?"


def test_unknown_argument_without_a_close_match_lists_what_is_known(registry):
    with pytest.raises(ArgumentError, match="known: scale, num_blocks"):
        registry.create("tiny", num_blocks=1, zzz=3)


def test_missing_argument(registry):
    with pytest.raises(ArgumentError, match="required argument 'num_blocks'"):
        registry.create("tiny")


def test_arguments_are_checked_before_the_factory_runs(registry):
    def boom(*, a: int = 1):
        raise AssertionError("was called")

    registry.register("boom")(boom)
    with pytest.raises(ArgumentError):
        registry.create("boom", b=1)


def test_a_factory_that_takes_anything():
    registry = Registry("thing")
    registry.register("any")(lambda **kwargs: kwargs)
    assert registry.create("any", x=1) == {"x": 1}


def test_declared_targets_are_imported_when_used():
    registry = Registry("thing")
    registry.declare("counter", "collections:Counter", summary="counts")
    assert registry.get("counter").target == "collections:Counter"
    assert registry.get("counter").load().__name__ == "Counter"
    assert registry.get("counter").source == "kornia_srgan"


def test_names_by_pattern(registry):
    registry.register("srresnet")(plain)
    registry.register("srgan")(plain)
    assert registry.names("sr*") == ["srgan", "srresnet"]
    assert list(registry) == ["small_net", "srgan", "srresnet"]
    assert [e.name for e in registry.entries()] == registry.names()


def test_describe(registry):
    described = registry.describe("tiny")
    assert (described.kind, described.name, described.aliases) == ("generator", "small_net", ("tiny",))
    assert described.summary == "a small one"
    assert described.paper == "Us 2026"
    assert described.doc.startswith("First line.")
    assert described.source == "tests.registry.test_registry"
    scale, blocks = described.parameters
    assert (scale.name, scale.annotation, scale.default, scale.required) == ("scale", "int", "4", False)
    assert (blocks.name, blocks.default, blocks.required) == ("num_blocks", None, True)


def test_temporary_undoes_registrations(registry):
    with registry.temporary():
        registry.register("passing")(plain)
        registry.register("tiny", override=True)(plain)
        assert "passing" in registry
    assert "passing" not in registry
    assert registry.create("tiny", num_blocks=1).scale == 4
