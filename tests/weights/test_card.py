import yaml

from kornia_srgan.weights.card import model_card
from kornia_srgan.weights.spec import WeightSpec

SPEC = WeightSpec(
    name="edsr",
    args={"channels": 48, "bilinear_skip": True, "taps": [1, 2]},
    scale=4,
    license="Apache-2.0",
    training={
        "recipe": "edsr-light",
        "data": ["t91", "bsds400"],
        "init": "",
        "lr": 2e-3,
        "versions": {"torch": "2.15", "kornia_srgan": "0.1"},
        "figures": {"Set5 (ledig-y)": {"psnr": 31.4049, "ssim": 0.8812}},
    },
    tensor_hash="ab" * 32,
)


def front_matter(card):
    _, text, body = card.split("---\n", 2)
    return yaml.safe_load(text), body


def test_metadata_is_what_the_hub_reads():
    data, _ = front_matter(model_card(SPEC))
    assert data == {
        "library_name": "kornia-srgan",
        "pipeline_tag": "image-to-image",
        "license": "apache-2.0",
        "tags": ["super-resolution", "kornia", "edsr"],
    }


def test_body_tells_how_it_was_made():
    _, body = front_matter(model_card(SPEC, source="edsr-x4", parameters=768_123))
    for line in (
        "# edsr ×4",
        "Enlarges photographs 4 times, 768,123 parameters. RGB images in [0, 1]. "
        "Licence of the weights: Apache-2.0.",
        'Upscaler.from_pretrained("edsr-x4")(Image.open("photo.jpg")).save("large.png")',
        "| channels | 48 |",
        "| bilinear skip | yes |",
        "| taps | 1, 2 |",
        "| data | t91, bsds400 |",
        "| lr | 0.002 |",
        "| versions | torch 2.15, kornia_srgan 0.1 |",
        "| Set5 (ledig-y) | psnr 31.4049, ssim 0.8812 |",
        f"SHA-256 over the tensors: `{'ab' * 32}`",
    ):
        assert line in body.splitlines()
    assert "| init |" not in body
    assert "figures" not in body


def test_little_known_is_little_said():
    data, body = front_matter(
        model_card(WeightSpec("mine", {}, 2, plugin="my_backbone.py", training={"a": "x|y"}))
    )
    assert "license" not in data
    assert "Licence of the weights: not stated." in body
    assert "## Figures" not in body
    assert "## Integrity" not in body
    assert r"| a | x\|y |" in body
    assert "`my_backbone.py`, which must be imported" in body
