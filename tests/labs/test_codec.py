"""Both halves of the wire: Python packs, Python and the browser's module unpack."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labs.codec import decode, encode

CODEC_JS = Path(__file__).parents[2] / "static" / "js" / "codec.js"
NODE = shutil.which("node")

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
FLOATS = st.floats(-1e30, 1e30, allow_subnormal=False)
SMALL_FLOATS = st.floats(-5, 5, width=32)
ARRAYS = st.one_of(
    hnp.arrays(np.float64, SHAPES, elements=FLOATS),
    hnp.arrays(np.float32, SHAPES, elements=SMALL_FLOATS),
    hnp.arrays(np.int64, SHAPES, elements=st.integers(-(10**6), 10**6)),
    hnp.arrays(np.uint8, SHAPES),
    hnp.arrays(np.bool_, SHAPES),
)


@st.composite
def packings(draw):
    """An array and a legal way to send it."""
    array = draw(ARRAYS)
    quantise = draw(st.sampled_from(["int16", "uint8", None]))
    delta = draw(st.booleans()) and quantise is not None and array.ndim > 0
    return array, {"quantise": quantise, "delta": delta, "deflate": draw(st.booleans())}


def bound(array, encoded):
    """Half a step, and the rounding of the answer to float32."""
    largest = float(np.max(np.abs(array.astype(float)), initial=0.0))
    step = encoded["scale"] if encoded["dtype"] != "float32" else 0.0
    return 0.5000001 * step + largest * 2.0**-23 + 1e-44


@given(packings())
def test_a_round_trip_stays_within_half_a_step(packing):
    array, how = packing
    encoded = json.loads(json.dumps(encode(array, **how), allow_nan=False))
    back = decode(encoded)
    assert back.shape == array.shape
    assert back.dtype == np.float32
    error = np.abs(back.astype(float) - array.astype(float))
    assert np.max(error, initial=0.0) <= bound(array, encoded)


@pytest.mark.parametrize("dtype", ["int16", "uint8"])
@pytest.mark.parametrize("delta", [False, True])
def test_integers_that_fit_travel_exactly(dtype, delta):
    info = np.iinfo(dtype)
    array = np.array([[info.min, info.max], [info.max, info.min], [0, 1]], dtype=dtype)
    encoded = encode(array, quantise=dtype, delta=delta)
    assert (encoded["scale"], encoded["offset"]) == (1.0, 0.0)
    np.testing.assert_array_equal(decode(encoded), array)


@pytest.mark.parametrize(("quantise", "steps"), [("int16", 65535), ("uint8", 255)])
def test_the_range_is_used_from_end_to_end(quantise, steps):
    array = np.linspace(-2.0, 6.0, 1001)
    encoded = encode(array, quantise=quantise)
    assert encoded["scale"] == pytest.approx(8.0 / steps)
    np.testing.assert_allclose(decode(encoded)[[0, -1]], [-2.0, 6.0], rtol=1e-6)


def test_differences_in_time_make_a_trajectory_smaller():
    start, end = np.random.default_rng(0).normal(size=(2, 500, 2))
    time = np.linspace(0, 1, 64)[:, None, None]
    walk = (1 - time) * start + time * end
    plain, differenced = encode(walk), encode(walk, delta=True)
    assert len(differenced["data"]) < 0.5 * len(plain["data"])


@pytest.mark.parametrize(
    ("array", "how", "message"),
    [
        ([1.0, np.nan], {}, "array must be finite in float32, got nan"),
        ([1.0, np.inf], {}, "array must be finite in float32, got inf"),
        ([1e39], {}, "array must be finite in float32, got 1e\\+39"),
        ([1j], {}, "array must hold real numbers, got dtype complex128"),
        (["a"], {}, "array must hold real numbers, got dtype <U1"),
        ([1.0], {"quantise": "int8"}, "quantise must be 'int16', 'uint8' or None, got 'int8'"),
        ([1.0], {"quantise": None, "delta": True}, "delta must go with quantise"),
        (1.0, {"delta": True}, "delta must have an axis to run along, got a scalar"),
    ],
)
def test_refuses_what_the_wire_cannot_carry(array, how, message):
    with pytest.raises(ValueError, match=message):
        encode(array, **how)


def test_decode_refuses_data_that_do_not_fill_the_shape():
    encoded = encode(np.zeros(4), deflate=False) | {"shape": [5]}
    with pytest.raises(ValueError, match=r"data must hold 10 bytes for shape \(5,\), got 8"):
        decode(encoded)


SCRIPT = """
import { decode } from %s;
import { readFileSync } from "node:fs";
const answers = [];
for (const encoded of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    const { shape, data } = await decode(encoded);
    const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
    answers.push({ shape, raw, type: data.constructor.name });
  } catch (error) {
    answers.push({ error: error.message });
  }
}
process.stdout.write(JSON.stringify(answers));
"""


def in_node(batch):
    """What static/js/codec.js makes of a list of encoded arrays."""
    script = SCRIPT % json.dumps(CODEC_JS.as_uri())
    ran = subprocess.run(
        [NODE, "--input-type=module", "-e", script],
        input=json.dumps(batch),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


needs_node = pytest.mark.skipif(
    NODE is None, reason="node is not installed; tests/browser/test_players.py covers codec.js"
)


@needs_node
@settings(max_examples=8, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(st.lists(packings(), min_size=25, max_size=60))
def test_the_browser_reads_the_very_numbers_that_python_reads(batch):
    coded = [encode(array, **how) for array, how in batch]
    for encoded, answer in zip(coded, in_node(coded), strict=True):
        assert answer.get("type") == "Float32Array", answer
        assert answer["shape"] == encoded["shape"]
        seen = np.frombuffer(base64.b64decode(answer["raw"]), "<f4").reshape(answer["shape"])
        np.testing.assert_array_equal(seen, decode(encoded))


@needs_node
def test_the_browser_refuses_what_does_not_fill_its_shape():
    short = encode(np.zeros(4), deflate=False) | {"shape": [5]}
    foreign = encode(np.zeros(4)) | {"dtype": "int64"}
    messages = [answer["error"] for answer in in_node([short, foreign])]
    assert messages == [
        "data must hold 10 bytes, got 8.",
        "dtype must be int16, uint8 or float32, got int64.",
    ]
