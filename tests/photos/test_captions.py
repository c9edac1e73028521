"""Words about a picture: each is in the result, or named. exiftool and Pillow read them back."""

import io
import struct
import subprocess
import zlib

import numpy as np
import pytest
from PIL import Image, IptcImagePlugin
from PIL.PngImagePlugin import PngInfo

from kornia_srgan.photos.segments import jpeg_segment
from tests.helpers.photos import enlarge, exiftool

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
IPTC = b"".join(
    struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text
    for number, text in ((80, b"A. Photographer"), (90, b"Testville"), (25, b"harbour"), (25, b"dawn"))
)


def resource(number, data, name=b""):
    padded = bytes([len(name)]) + name
    padded += bytes(len(padded) % 2)
    return (
        b"8BIM"
        + struct.pack(">H", number)
        + padded
        + struct.pack(">I", len(data))
        + data
        + bytes(len(data) % 2)
    )


BLOCK = resource(0x03ED, bytes(16)) + resource(0x0404, IPTC, b"odd") + resource(0x040A, b"\1")


def jpeg(path, *segments, after=b"", **options):
    """A JPEG with segments put in behind its start."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", **options)
    data = file.getvalue()
    path.write_bytes(data[:2] + b"".join(segments) + data[2:] + after)
    return path


def app13(block=BLOCK):
    return jpeg_segment(0xED, b"Photoshop 3.0\0" + block)


def png(path, *chunks, image=None):
    info = PngInfo()
    for kind, content in chunks:
        info.add(kind, content, kind == b"iTXt")  # these behind the pixels
    (image or Image.fromarray(PIXELS)).save(path, pnginfo=info)
    return path


def png_texts(path):
    """All texts of a PNG, in order, with those of one name."""
    data, place, found = path.read_bytes(), 8, []
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind in (b"tEXt", b"iTXt", b"zTXt"):
            found.append(data[place + 8 : place + 8 + length])
        place += 12 + length
    return found


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("through", [".jpg", ".png", ".tif"])
def test_iptc_survives_two_formats(tmp_path, through, suffix):
    jpeg(tmp_path / "in.jpg", app13())
    assert enlarge(tmp_path / "in.jpg", tmp_path / f"a{through}") == ()
    assert enlarge(tmp_path / f"a{through}", tmp_path / f"b{suffix}") == ()
    with Image.open(tmp_path / f"b{suffix}") as image:
        found = IptcImagePlugin.getiptcinfo(image)
    assert found == {(2, 80): b"A. Photographer", (2, 90): b"Testville", (2, 25): [b"harbour", b"dawn"]}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_exiftool_reads_iptc(tmp_path, suffix):
    enlarge(jpeg(tmp_path / "in.jpg", app13()), tmp_path / f"out{suffix}")
    found = exiftool(tmp_path / f"out{suffix}")
    assert found["IPTC:By-line"] == "A. Photographer"
    assert found["IPTC:Keywords"] == ["harbour", "dawn"]
    assert found["Photoshop:CopyrightFlag"] == 1


def test_iptc_longer_than_a_segment(tmp_path):
    long = b"".join(struct.pack(">BBBH", 0x1C, 2, 25, 30_000) + bytes([c]) * 30_000 for c in b"abcd")
    block = resource(0x0404, long)
    parts = [app13(block[i : i + 60_000]) for i in range(0, len(block), 60_000)]
    enlarge(jpeg(tmp_path / "in.jpg", *parts), tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        joined = b"".join(c[14:] for name, c in image.applist if name == "APP13")
    assert joined == block
    assert len(exiftool(tmp_path / "out.jpg")["IPTC:Keywords"]) == 4


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".gif", ".bmp"])
def test_iptc_is_named_where_it_has_no_place(tmp_path, suffix):
    notes = enlarge(jpeg(tmp_path / "in.jpg", app13()), tmp_path / f"out{suffix}")
    assert any("cannot store IPTC captions" in note for note in notes)


def test_paths_are_kept_unless_the_picture_is_turned(tmp_path):
    path = resource(0x07D0, bytes(26), b"outline")
    enlarge(jpeg(tmp_path / "in.jpg", app13(BLOCK + path)), tmp_path / "out.jpg")
    assert b"outline" in (tmp_path / "out.jpg").read_bytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    (note,) = enlarge(jpeg(tmp_path / "in.jpg", app13(BLOCK + path), exif=exif), tmp_path / "out.jpg")
    assert "clipping paths" in note
    assert b"outline" not in (tmp_path / "out.jpg").read_bytes()


COMMENTS = (jpeg_segment(0xFE, "first, schön".encode()), jpeg_segment(0xFE, b"second, sch\xf6n"))


def test_all_comments_of_a_jpeg_are_kept(tmp_path):
    jpeg(tmp_path / "in.jpg", *COMMENTS)
    enlarge(tmp_path / "in.jpg", tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        comments = [c for name, c in image.applist if name == "COM"]
    assert comments == ["first, schön".encode(), "second, schön".encode()]
    enlarge(tmp_path / "in.jpg", tmp_path / "out.png")
    assert png_texts(tmp_path / "out.png") == [b"Comment\0first, sch\xf6n", b"Comment\0second, sch\xf6n"]
    enlarge(tmp_path / "out.png", tmp_path / "again.jpg")
    assert "second, schön".encode() in (tmp_path / "again.jpg").read_bytes()
    enlarge(tmp_path / "in.jpg", tmp_path / "out.gif")
    with Image.open(tmp_path / "out.gif") as image:
        assert image.info["comment"] == "first, schön\nsecond, schön".encode()
    enlarge(tmp_path / "out.gif", tmp_path / "from_gif.png")
    assert len(png_texts(tmp_path / "from_gif.png")) == 1
    (note,) = enlarge(tmp_path / "in.jpg", tmp_path / "out.webp")  # one goes to EXIF
    assert "the text 'Comment'" in note
    assert exiftool(tmp_path / "out.webp")["ExifIFD:UserComment"] == "first, schön"


CHUNKS = [
    (b"tEXt", b"parameters\0a harbour, Steps: 20"),
    (b"zTXt", b"prompt\0\0" + zlib.compress(b'{"3": {}}')),
    (b"tEXt", b"Author\0one"),
    (b"tEXt", b"Author\0another"),
    (b"iTXt", "Title\0\0\0de\0Titel\0Größe 写真".encode()),
    (b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress("写".encode() * 600_000)),
]


@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
def test_every_text_of_a_png_is_kept(tmp_path, mode):
    picture = (
        Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257) if mode == "I;16" else Image.new(mode, (8, 6))
    )
    assert enlarge(png(tmp_path / "in.png", *CHUNKS, image=picture), tmp_path / "out.png") == ()
    assert png_texts(tmp_path / "out.png") == [
        b"parameters\0a harbour, Steps: 20",
        b'prompt\0{"3": {}}',
        b"Author\0one",
        b"Author\0another",
        "Title\0\0\0de\0Titel\0Größe 写真".encode(),
        b"workflow\0\0\0\0\0" + "写".encode() * 600_000,
    ]


def test_an_animation_keeps_its_texts(tmp_path):
    info = PngInfo()
    info.add_text("parameters", "a harbour")
    frames = [Image.new("RGB", (8, 6), (value, 0, 0)) for value in (9, 200)]
    frames[0].save(tmp_path / "in.png", save_all=True, append_images=frames[1:], pnginfo=info)
    enlarge(tmp_path / "in.png", tmp_path / "out.png")
    assert png_texts(tmp_path / "out.png") == [b"parameters\0a harbour"]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".avif"])
def test_texts_that_exif_has_a_place_for_go_there_and_others_are_named(tmp_path, suffix):
    notes = enlarge(png(tmp_path / "in.png", *CHUNKS), tmp_path / f"out{suffix}")
    for name in ("prompt", "Author", "Title", "workflow"):
        assert f"the text '{name}'" in " ".join(notes)
    assert "parameters" not in " ".join(notes)
    found = exiftool(tmp_path / f"out{suffix}")
    assert found["ExifIFD:UserComment"] == "a harbour, Steps: 20"
    assert found["IFD0:Artist"] == "one"


def test_what_exif_said_already_is_not_replaced(tmp_path):
    exif = Image.Exif()
    exif[0x013B] = "from EXIF"
    info = PngInfo()
    info.add_text("Author", "from a text")
    Image.fromarray(PIXELS).save(tmp_path / "in.png", exif=exif, pnginfo=info)
    (note,) = enlarge(tmp_path / "in.png", tmp_path / "out.jpg")
    assert "the text 'Author'" in note
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif()[0x013B] == "from EXIF"


def test_damaged_texts_cost_no_picture(tmp_path):
    chunks = [(b"zTXt", b"broken\0\0nonsense"), (b"iTXt", b"cut"), (b"tEXt", b"good\0text")]
    notes = enlarge(png(tmp_path / "in.png", *chunks), tmp_path / "out.png")
    assert notes.count("one of its texts is damaged and left out") == 2
    assert png_texts(tmp_path / "out.png") == [b"good\0text"]


def test_profiles_in_texts_as_imagemagick_writes_them(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6

    def profile(kind, content):
        return (b"tEXt", f"Raw profile type {kind}\0\n{kind}\n{len(content):8d}\n{content.hex()}\n".encode())

    chunks = [profile("exif", exif.tobytes()), profile("8bim", BLOCK), profile("xmp", b"<x:xmpmeta/>")]
    assert enlarge(png(tmp_path / "in.png", *chunks), tmp_path / "out.jpg") == ()
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.size == (12, 16)
        assert image.getexif()[0x010F] == "Maker"
        assert IptcImagePlugin.getiptcinfo(image)[(2, 90)] == b"Testville"
        assert image.info["xmp"] == b"<x:xmpmeta/>"


def packet(title, filler=0):
    return (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        b'xmp:Rating="4"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">' + title + b"</rdf:li></rdf:Alt>"
        b"</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>" + b" " * filler + b'<?xpacket end="w"?>'
    )


@pytest.mark.parametrize(("length", "filler"), [(100, 90_000), (64_000, 0), (66_000, 0), (200_000, 0)])
def test_xmp_of_any_length_goes_to_jpeg_and_back(tmp_path, length, filler):
    xmp = packet(b"T" * length, filler)
    png(tmp_path / "in.png", (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    assert enlarge(tmp_path / "in.png", tmp_path / "out.jpg") == ()
    assert enlarge(tmp_path / "out.jpg", tmp_path / "back.png") == ()
    for name in ("out.jpg", "back.png"):
        found = exiftool(tmp_path / name)
        assert found["XMP-dc:Title"] == "T" * length
        assert found["XMP-xmp:Rating"] == 4
    assert "XMP-xmpNote:HasExtendedXMP" not in exiftool(tmp_path / "back.png")


def test_an_extension_that_is_not_whole_is_said(tmp_path):
    png(tmp_path / "in.png", (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet(b"T" * 150_000)))
    enlarge(tmp_path / "in.png", tmp_path / "long.jpg")
    data = (tmp_path / "long.jpg").read_bytes()
    place = data.index(b"http://ns.adobe.com/xmp/extension/")
    (tmp_path / "cut.jpg").write_bytes(data[:place] + b"X" + data[place + 1 :])
    (note,) = enlarge(tmp_path / "cut.jpg", tmp_path / "out.png")
    assert "extended part of its XMP" in note
    assert (tmp_path / "out.png").exists()


@pytest.mark.parametrize("mark", [b"XMP\0://ns.adobe.com/xap/1.0/\0", b"ns.adobe.com/xap/1.0/\0", b""])
def test_xmp_behind_a_wrong_mark(tmp_path, mark):
    """As GraphicsMagick wrote it for years."""
    enlarge(jpeg(tmp_path / "in.jpg", jpeg_segment(0xE1, mark + packet(b"Titel"))), tmp_path / "out.jpg")
    assert exiftool(tmp_path / "out.jpg")["XMP-dc:Title"] == "Titel"


def test_exif_and_iptc_behind_wrong_marks(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    wrong = b"Exif\0\xff" + exif.tobytes().removeprefix(b"Exif\0\0")
    old = b"Adobe_Photoshop2.5:\0\0\0\0\0" + BLOCK
    jpeg(tmp_path / "in.jpg", jpeg_segment(0xE1, wrong), jpeg_segment(0xED, old))
    enlarge(tmp_path / "in.jpg", tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.size == (12, 16)
        assert image.getexif()[0x010F] == "Maker"
        assert IptcImagePlugin.getiptcinfo(image)[(2, 90)] == b"Testville"


IN_ALL = {"IFD0:Make": "Maker", "ExifIFD:ISO": 400, "XMP-dc:Title": "Titel"}


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("a.jpg", ()),
        ("a.png", ()),
        ("a.jp2", ()),
        ("a.webp", ("IPTC:City",)),
        ("a.avif", ("IPTC:City",)),
        ("a.gif", ("IPTC:City", "IFD0:Make", "ExifIFD:ISO")),
        ("photo.psd", ()),
        ("photo.heic", ("IPTC:City",)),
        ("photo.jxl", ("IPTC:City",)),
    ],
)
def test_what_exiftool_wrote_into_any_format_is_kept(request, tmp_path, name, lacks):
    source = tmp_path / name
    if name.startswith("photo"):
        pytest.importorskip({".heic": "pillow_heif", ".jxl": "pillow_jxl"}.get(source.suffix, "PIL"))
        source.write_bytes((request.getfixturevalue("shared_data") / "reports" / name).read_bytes())
    else:
        Image.fromarray(PIXELS).save(source)
    exiftool(source)  # is it here?
    tags = [f"-{key.replace('XMP-dc', 'XMP')}={value}" for key, value in IN_ALL.items()]
    command = ["exiftool", "-m", "-q", "-overwrite_original", *tags, "-IPTC:City=Testville", str(source)]
    subprocess.run(command, check=False, capture_output=True)
    expected = {k: v for k, v in (IN_ALL | {"IPTC:City": "Testville"}).items() if k not in lacks}
    assert expected.items() <= exiftool(source).items(), "the test is wrong"
    assert enlarge(source, tmp_path / "out.png") == ()
    assert expected.items() <= exiftool(tmp_path / "out.png").items()


@pytest.mark.parametrize(
    ("name", "kept", "note"),
    [
        ("iptc.jpg", {"IPTC:Caption-Abstract": "Harbour at dawn"}, None),
        ("sdparams.png", {"PNG:Workflow": '{"nodes": []}'}, None),
        ("big_one_bad_tag.jpg", {"IFD0:Make": "TestCam", "IFD0:Copyright": "(c) Someone"}, "XResolution"),
        ("ultrahdr_small.jpg", {}, "gain map"),
        ("bigxmp.png", {}, None),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_files_that_were_reported(shared_data, tmp_path, name, kept, note, suffix):
    notes = " ".join(enlarge(shared_data / "reports" / name, tmp_path / f"out{suffix}"))
    assert note is None or note in notes
    found = exiftool(tmp_path / f"out{suffix}", "-a")
    if (name, suffix) == ("sdparams.png", ".jpg"):
        assert "workflow" in notes
    else:
        assert kept.items() <= found.items()
    assert not [key for key in found if "hdrgm" in key or "Container" in key]
    if name == "bigxmp.png":
        assert len(found["XMP-dc:Title"]) == 100_000
