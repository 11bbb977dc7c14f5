import base64
import io
import json
import re
import shutil
import struct
import subprocess
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw

from labs.ink import (
    INK_LENGTH,
    LEVELS,
    PICTURE_BYTES,
    SIZE,
    decode_ink,
    encode_ink,
    ink_of_picture,
)

MODULE = Path(__file__).parents[2] / "static" / "js" / "painter-ink.js"
levels = hnp.arrays(np.uint8, (SIZE, SIZE), elements=st.integers(0, LEVELS - 1))


def text_of(packed: bytes, version: str = "1") -> str:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = base64.urlsafe_b64encode(stream.compress(packed) + stream.flush())
    return version + body.decode().rstrip("=")


def file_of(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def figure(ground=255, ink=0, size=(200, 200), mode="L") -> Image.Image:
    """A thick L: its foot tells left from right, its stem up from down."""
    picture = Image.new(mode, size, ground)
    draw = ImageDraw.Draw(picture)
    width, height = size
    draw.rectangle((0.3 * width, 0.2 * height, 0.42 * width, 0.8 * height), fill=ink)
    draw.rectangle((0.3 * width, 0.68 * height, 0.7 * width, 0.8 * height), fill=ink)
    return picture


def spiral(width=10) -> np.ndarray:
    t = np.linspace(0, 1, 300)
    angle, radius = 6 * np.pi * t, 8 + 100 * t
    points = np.stack([128 + radius * np.cos(angle), 128 + radius * np.sin(angle)], 1)
    drawn = np.zeros((256, 256), np.uint8)
    cv2.polylines(drawn, [points.astype(np.int32)], False, 255, width, cv2.LINE_AA)
    return cv2.resize(drawn, (SIZE, SIZE), interpolation=cv2.INTER_AREA) / 255


REFERENCE = ink_of_picture(file_of(figure()))


class TestText:
    @given(levels)
    @settings(max_examples=60)
    def test_decoding_undoes_encoding(self, grid):
        text = encode_ink(grid / (LEVELS - 1))
        assert len(text) <= INK_LENGTH
        assert re.fullmatch(r"1[A-Za-z0-9_-]+", text)
        np.testing.assert_allclose(decode_ink(text) * (LEVELS - 1), grid, atol=1e-12)

    @given(levels)
    @settings(max_examples=30)
    def test_encoding_undoes_decoding(self, grid):
        text = encode_ink(grid / (LEVELS - 1))
        assert encode_ink(decode_ink(text)) == text

    @given(hnp.arrays(np.float64, (SIZE, SIZE), elements=st.floats(0, 1)))
    @settings(max_examples=30)
    def test_any_amount_is_rounded_to_the_nearest_level(self, amount):
        error = np.abs(decode_ink(encode_ink(amount)) - amount)
        assert error.max() <= 0.5 / (LEVELS - 1) + 1e-12

    @pytest.mark.parametrize("width", [6, 12, 24])
    def test_a_drawing_fits_in_the_address(self, width):
        assert 200 < len(encode_ink(spiral(width))) < 1500

    def test_a_blank_painting_is_shortest(self):
        text = encode_ink(np.zeros((SIZE, SIZE)))
        assert len(text) < 40
        assert not decode_ink(text).any()

    def test_rows_run_from_the_top_and_columns_from_the_left(self):
        ink = np.zeros((SIZE, SIZE))
        ink[0, 1] = 1
        assert decode_ink(text_of(b"\x0f" + bytes(2047))).tolist() == ink.tolist()

    @pytest.mark.parametrize(
        ("shape", "value", "said"),
        [
            ((64, 63), 0.0, r"ink must have shape \(64, 64\), got \(64, 63\)\."),
            ((64, 64), 1.01, r"ink must lie in \[0, 1\]"),
            ((64, 64), np.nan, r"ink must lie in \[0, 1\]"),
        ],
    )
    def test_only_a_painting_is_encoded(self, shape, value, said):
        with pytest.raises(ValueError, match=said):
            encode_ink(np.full(shape, value))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (None, r"ink must be text, got NoneType\."),
            ("", r"ink must not be empty"),
            ("1" + "A" * INK_LENGTH, r"at most 2800 characters, got 2801\."),
            (text_of(bytes(2048), version="2"), r"its version 1, got '2'\."),
            ("1abc+", r"only A-Z, a-z, 0-9, - and _, got '\+'\."),
            ("1abc\n", r"only A-Z, a-z, 0-9, - and _, got '\\n'\."),
            ("1Ａ", r"only A-Z, a-z, 0-9, - and _, got 'Ａ'\."),
            ("1abcde", r"must be base64url, which 5 characters cannot be\."),
            ("1____", r"deflate stream, got a damaged one\."),
            (text_of(bytes(2047)), r"unpack to 2048 bytes, got 2047\."),
            (text_of(bytes(2049)), r"unpack to 2048 bytes, got more\."),
            ("1", r"whole deflate stream, got one that is cut off\."),
            (text_of(bytes(2048))[:-4], r"whole deflate stream, got one that is cut off\."),
            (text_of(bytes(2048)) + "AAAA", r"must end with its stream, got \d more bytes\."),
        ],
    )
    def test_what_is_no_painting_is_refused(self, text, said):
        with pytest.raises(ValueError, match=said):
            decode_ink(text)

    def test_a_bomb_is_not_unpacked(self, monkeypatch):
        monkeypatch.setattr("labs.ink.INK_LENGTH", 10**7)
        bomb = text_of(bytes(10**8))
        began = time.perf_counter()
        with pytest.raises(ValueError, match="unpack to 2048 bytes, got more"):
            decode_ink(bomb)
        assert time.perf_counter() - began < 0.1


@pytest.fixture
def node():
    """Runs a program after `import * as ink`; it prints JSON."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    module = "data:text/javascript;base64," + base64.b64encode(MODULE.read_bytes()).decode()

    def run(program: str, *arguments) -> object:
        done = subprocess.run(
            ["node", "--input-type=module", "-", *map(json.dumps, arguments)],
            input=f"import * as ink from '{module}';\n{program}",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


class TestBrowser:
    """The painter and the server write texts that the other reads."""

    GRIDS = (
        spiral(),
        np.random.default_rng(0).integers(0, LEVELS, (SIZE, SIZE)) / (LEVELS - 1),
        np.eye(SIZE),
        np.ones((SIZE, SIZE)),
    )

    def test_the_server_reads_what_the_painter_writes(self, node):
        cells = [np.rint(grid.ravel() * (LEVELS - 1)).astype(int).tolist() for grid in self.GRIDS]
        texts = node(
            "const grids = JSON.parse(process.argv[2]);"
            "const texts = await Promise.all(grids.map((g) => ink.encodeInk(Uint8Array.from(g))));"
            "console.log(JSON.stringify(texts));",
            cells,
        )
        for grid, text in zip(self.GRIDS, texts, strict=True):
            assert len(text) <= INK_LENGTH
            assert np.array_equal(np.rint(grid * 15), np.rint(decode_ink(text) * 15))

    def test_the_painter_reads_what_the_server_writes(self, node):
        read = node(
            "const texts = JSON.parse(process.argv[2]);"
            "const grids = await Promise.all(texts.map(ink.decodeInk));"
            "console.log(JSON.stringify(grids.map((g) => [...g])));",
            [encode_ink(grid) for grid in self.GRIDS],
        )
        for grid, cells in zip(self.GRIDS, read, strict=True):
            assert np.array_equal(np.rint(grid * 15).ravel(), cells)

    def test_a_blank_painting_has_no_text(self, node):
        assert node("console.log(JSON.stringify(await ink.encodeInk(new Uint8Array(4096))))") == ""

    def test_the_painter_refuses_what_the_server_refuses(self, node):
        wrong = ["2AAAA", "1", "1ab+c", "1____", text_of(bytes(2047)), text_of(bytes(2049))]
        wrong += ["1" + "A" * INK_LENGTH, text_of(bytes(2048))[:-4]]
        refused = node(
            "const texts = JSON.parse(process.argv[2]);"
            "const ours = (error) => error.message.startsWith('ink must');"
            "const refused = (text) => ink.decodeInk(text).then(() => false, ours);"
            "console.log(JSON.stringify(await Promise.all(texts.map(refused))));",
            wrong,
        )
        assert refused == [True] * len(wrong)


class TestPicture:
    def test_a_figure_is_ink_on_a_blank_ground(self):
        assert REFERENCE[0].max() == 0
        assert REFERENCE[30, 22] == 1
        assert 0.1 < REFERENCE.mean() < 0.15
        assert np.array_equal(np.rint(REFERENCE * 15) / 15, REFERENCE)

    def test_a_light_figure_on_a_dark_ground_is_the_same_figure(self):
        light = ink_of_picture(file_of(figure(ground=20, ink=240)))
        np.testing.assert_allclose(light, REFERENCE, atol=0.1)

    @pytest.mark.parametrize(
        ("kind", "mode"),
        [
            *(("PNG", mode) for mode in ("1", "L", "P", "RGB", "RGBA", "LA")),
            *(("JPEG", mode) for mode in ("1", "L", "RGB", "CMYK")),
            *(("WEBP", mode) for mode in ("L", "P", "RGB", "RGBA", "LA")),
        ],
    )
    def test_every_kind_and_mode_gives_the_figure(self, kind, mode):
        picture = figure().convert("RGB").convert(mode)
        np.testing.assert_allclose(ink_of_picture(file_of(picture, kind)), REFERENCE, atol=0.2)

    def test_sixteen_bits_keep_their_tones(self):
        ramp = np.full((128, 128), 65535, np.uint16)
        ramp[32:96, 32:96] = np.linspace(0, 60000, 64).astype(np.uint16)
        ink = ink_of_picture(cv2.imencode(".png", ramp)[1].tobytes())
        assert ink[32, 18] > 0.9
        assert 0.3 < ink[32, 32] < 0.7
        assert ink[32, 46] < 0.15

    def test_transparency_is_seen_on_white(self):
        picture = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
        picture.paste((0, 0, 0, 255), figure().point(lambda tone: 255 - tone))
        np.testing.assert_allclose(ink_of_picture(file_of(picture)), REFERENCE, atol=0.1)

    def test_grey_tones_are_kept(self):
        picture = figure()
        ImageDraw.Draw(picture).rectangle((140, 40, 160, 100), fill=128)
        assert 0.3 < ink_of_picture(file_of(picture))[20, 48] < 0.7

    def test_a_wide_figure_is_padded_not_cropped(self):
        ink = ink_of_picture(file_of(figure(size=(400, 100))))
        assert not ink[:20].any()
        assert not ink[44:].any()
        assert ink[:, 20:26].max() == 1

    def test_a_photograph_gives_its_darkness_stretched(self):
        shade = np.linspace(80, 160, 300).astype(np.uint8)
        photograph = np.tile(shade, (200, 1))
        ink = ink_of_picture(file_of(Image.fromarray(photograph)))
        assert (np.diff(ink[32]) <= 0).all()
        assert ink[32, 0] == 1
        assert ink[32, -1] == 0

    def test_a_wide_photograph_is_cropped_to_its_middle(self):
        shade = np.abs(np.linspace(-3, 3, 240))[None] * 40 + np.linspace(0, 60, 120)[:, None]
        photograph = Image.fromarray(shade.astype(np.uint8))
        middle = photograph.crop((60, 0, 180, 120))
        assert np.array_equal(ink_of_picture(file_of(photograph)), ink_of_picture(file_of(middle)))

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_the_camera_may_lie_on_its_side(self, orientation):
        undo = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270,
        }
        picture = figure().transpose(undo[orientation]) if orientation > 1 else figure()
        exif = Image.Exif()
        exif[0x0112] = orientation
        ink = ink_of_picture(file_of(picture, "JPEG", exif=exif, quality=95))
        np.testing.assert_allclose(ink, REFERENCE, atol=0.1)

    def test_the_first_frame_of_an_animation_counts(self):
        frames = {"save_all": True, "append_images": [figure(ink=255)], "lossless": True}
        for kind in ("PNG", "WEBP"):
            data = file_of(figure(), kind, **frames)
            np.testing.assert_allclose(ink_of_picture(data), REFERENCE, atol=0.1)

    def test_a_hairline_is_not_lost(self):
        picture = Image.new("L", (2000, 2000), 255)
        ImageDraw.Draw(picture).line((300, 1000, 1700, 1000), fill=0, width=1)
        ink = ink_of_picture(file_of(picture))
        assert (ink[31:33, 15:50].max(axis=0) > 0.5).all()

    def test_large_pictures_are_quick(self):
        rng = np.random.default_rng(0)
        noise = cv2.resize(rng.integers(0, 255, (300, 400), dtype=np.uint8), (4000, 3000))
        data = file_of(Image.fromarray(noise), "JPEG", quality=60)
        began = time.perf_counter()
        ink_of_picture(data)
        assert time.perf_counter() - began < 1


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and has no pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


class TestRefusedPictures:
    def refused(self, data: bytes, said: str) -> None:
        with pytest.raises(ValueError, match=said) as caught:
            ink_of_picture(data)
        assert str(caught.value).startswith("ink must be")

    @pytest.mark.parametrize(
        ("size", "said"),
        [
            ((5000, 4000), r"12 megapixels, got 5000 x 4000, 20\.0 megapixels\."),
            ((12000, 9000), r"12 megapixels, got many more\."),
            ((60000, 60000), r"12 megapixels, got many more\."),
        ],
    )
    def test_too_many_pixels_are_refused_before_decoding(self, size, said, monkeypatch):
        monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("pixels were decoded"))
        began = time.perf_counter()
        self.refused(png_header(*size), said)
        assert time.perf_counter() - began < 0.1

    def test_too_many_bytes_are_refused_unread(self, monkeypatch):
        monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("the file was read"))
        self.refused(bytes(PICTURE_BYTES + 1), r"at most 5 MB, got 5\.0 MB\.")

    @pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM"])
    def test_a_name_is_not_a_format(self, kind):
        self.refused(file_of(figure(), kind), "a PNG, JPEG or WebP picture, got something else")

    def test_a_script_is_no_picture(self):
        self.refused(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "got something else")
        self.refused(b"", "got something else")

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
    def test_a_truncated_file_is_refused(self, kind, share):
        rng = np.random.default_rng(1)
        noise = Image.fromarray(rng.integers(0, 255, (300, 300), dtype=np.uint8))
        data = file_of(noise, kind)
        self.refused(data[: int(share * len(data))], "got (a damaged one|something else)")

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def test_no_damage_escapes(self, data):
        kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP"]))
        file = bytearray(file_of(figure(size=(40, 40)), kind))
        for place, byte in data.draw(
            st.lists(st.tuples(st.integers(0, len(file) - 1), st.integers(0, 255)), max_size=8)
        ):
            file[place] = byte
        try:
            answer = ink_of_picture(bytes(file)).shape
        except ValueError as error:
            answer = str(error)
        assert answer == (SIZE, SIZE) or answer.startswith("ink must be")

    @pytest.mark.parametrize("tone", [0, 128, 255])
    def test_one_colour_is_no_picture(self, tone):
        self.refused(file_of(Image.new("L", (100, 80), tone)), "got one colour only")

    def test_an_empty_transparency_is_no_picture(self):
        self.refused(file_of(Image.new("RGBA", (10, 10), (0, 0, 0, 0))), "got one colour only")
