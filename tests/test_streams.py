"""Random numbers: the generator is Philox4x32-10, its output is uniform, streams are unrelated, nobody else draws any.

False alarms: every statistical test below uses fixed numbers and is called failed at p < 1e-4.
"""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy import stats

import trajsim
import trajsim.analysis
from trajsim import streams
from trajsim.errors import InputError

ALARM = 1e-4
WORD = 2**32 - 1
words = st.integers(0, WORD)

# Random123 1.09, kat_vectors, philox4x32 10: counter, key, result
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((WORD,) * 4, (WORD,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def key_of(k0: int, k1: int) -> np.uint64:
    return np.uint64(k0 | k1 << 32)


def philox_in_python(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """Salmon et al., SC'11, Sec. 3.3, with Python's unbounded integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & WORD, (p0 >> 32) ^ c[3] ^ k[1], p0 & WORD]
        k = [(k[0] + 0x9E3779B9) & WORD, (k[1] + 0xBB67AE85) & WORD]
    return tuple(c)


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN_ANSWERS, ids=["zeros", "ones", "pi"])
def test_known_answers(counter, key, result):
    assert tuple(int(w) for w in streams.philox(*(np.uint64(c) for c in counter), key_of(*key))) == result
    assert philox_in_python(counter, key) == result


@given(st.tuples(words, words, words, words), st.tuples(words, words))
def test_philox_is_philox(counter, key):
    drawn = streams.philox(*(np.uint64(c) for c in counter), key_of(*key))
    assert tuple(int(w) for w in drawn) == philox_in_python(counter, key)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 255), st.integers(0, 2**56 - 1))
def test_a_number_is_52_bits_of_the_block_its_counter_names(key, trajectory, purpose, n):
    counter = (n & WORD, n >> 32 | purpose << 24, trajectory & WORD, trajectory >> 32)
    w0, w1, _, _ = philox_in_python(counter, (key & WORD, key >> 32))
    drawn = streams.uniform(np.uint64(key), np.uint64(trajectory), np.uint64(purpose), np.uint64(n))
    assert drawn == ((w1 << 20 | w0 >> 12) + 0.5) / 2**52
    assert 0.0 < drawn < 1.0


def test_no_number_is_zero_or_one():
    assert (0 + 0.5) * 2.0**-52 > 0.0
    assert ((2**52 - 1) + 0.5) * 2.0**-52 < 1.0  # the largest one is still a double below 1


@njit
def draw(key, first, trajectories, purpose, numbers):
    out = np.empty((trajectories, numbers))
    for i in range(trajectories):
        for n in range(numbers):
            out[i, n] = streams.uniform(key, np.uint64(first + i), np.uint64(purpose), np.uint64(n))
    return out


KEY = streams.stream_key(20131220, "model")


@pytest.mark.parametrize(
    ("trajectories", "numbers"), [(1, 400_000), (400_000, 1), (632, 632)], ids=["along", "across", "both"]
)
def test_uniform(trajectories, numbers):
    u = draw(KEY, 0, trajectories, streams.JUMPS, numbers).ravel()
    assert stats.kstest(u, "uniform").pvalue > ALARM
    assert stats.chisquare(np.bincount((u * 1000).astype(int), minlength=1000)).pvalue > ALARM
    pairs = np.bincount((u[:-1:2] * 30).astype(int) * 30 + (u[1::2] * 30).astype(int), minlength=900)
    assert stats.chisquare(pairs).pvalue > ALARM


def test_every_bit_is_fair():
    bits = np.floor(draw(KEY, 0, 1, streams.JUMPS, 100_000)[0] * 2**52).astype(np.int64)
    ones = np.array([np.count_nonzero(bits >> b & 1) for b in range(52)])
    z = (ones - bits.size / 2) / np.sqrt(bits.size / 4)
    assert stats.chi2.sf(np.sum(z**2), 52) > ALARM


def test_streams_are_different_and_unrelated():
    numbers = 4000
    keys = [streams.stream_key(seed, model) for seed in (0, 1, 2**63 - 1) for model in ("a", "b")]
    drawn = [draw(key, first, 2, purpose, numbers) for key in keys for first in (0, 2**40) for purpose in (0, 1, 7)]
    u = np.concatenate(drawn)
    assert len(np.unique(u)) == u.size  # a repeated 52-bit number among 288 000 has a chance of 1e-5
    z = np.sqrt(12.0) * (u - 0.5)
    products = (z @ z.T / np.sqrt(numbers))[np.triu_indices(len(z), 1)]
    assert stats.chi2.sf(np.sum(products**2), products.size) > ALARM
    lagged = np.array([np.sum(z[:, lag:] * z[:, :-lag]) / np.sqrt(z[:, lag:].size) for lag in range(1, 11)])
    assert stats.chi2.sf(np.sum(lagged**2), lagged.size) > ALARM


def test_first_numbers_of_neighbouring_trajectories_are_unrelated():
    # what the initial thresholds of an ensemble are
    u = draw(KEY, 0, 200_000, streams.JUMPS, 2)
    z = np.sqrt(12.0) * (u - 0.5)
    for products in (z[1:, 0] * z[:-1, 0], z[:, 0] * z[:, 1]):
        assert abs(products.sum() / np.sqrt(products.size)) < stats.norm.isf(ALARM / 4)


def test_keys_depend_on_seed_model_and_version(monkeypatch):
    key = streams.stream_key(1, "a")
    assert key == streams.stream_key(np.int64(1), "a")
    others = {streams.stream_key(seed, model) for seed, model in ((2, "a"), (1, "b"), (11, ""), (1, "1|a"))}
    monkeypatch.setattr(streams, "STREAM_VERSION", streams.STREAM_VERSION + 1)
    assert len(others | {key, streams.stream_key(1, "a")}) == 6


def test_stream_version_2_is_frozen():
    """These numbers may change only together with STREAM_VERSION."""
    key = streams.stream_key(20131220, "model")
    drawn = streams.uniform(key, np.uint64(3), np.uint64(streams.INITIAL_STATE), np.uint64(5))
    assert (streams.STREAM_VERSION, int(key), drawn) == (2, 4272486594149651330, 0.8069231147136647)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, "1", None, True], ids=str)
def test_bad_seeds(seed):
    with pytest.raises(InputError, match=r"`seed` must be an integer from 0 to 2\^63 - 1, but .* was given"):
        streams.check_seed(seed)


def test_drawn_seeds_are_seeds_and_differ():
    seeds = {streams.draw_seed() for _ in range(20)}
    assert len(seeds) == 20
    assert all(streams.check_seed(seed) == seed for seed in seeds)


def sources() -> list[Path]:
    rooms = [Path(trajsim.__file__).parent, *(Path(p) for p in trajsim.analysis.__path__)]
    return sorted({path for room in rooms for path in room.rglob("*.py")} - {Path(streams.__file__)})


@pytest.mark.parametrize("path", sources(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nobody_else_makes_random_numbers(path):
    makers = {"random", "secrets", "default_rng", "RandomState", "rvs", "urandom", "resample", "bootstrap"}
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                found |= {part for name in names for part in name.name.split(".")}
            case ast.ImportFrom(module=module, names=names):
                found |= {*(module or "").split("."), *(name.name for name in names)}
            case ast.Attribute(attr="random", value=value):  # `initial.random` is a flag
                found |= {"random"} if isinstance(value, ast.Name) and value.id in ("np", "numpy") else set()
            case ast.Attribute(attr=attr):
                found.add(attr)
            case ast.Call(func=ast.Name(id=name)):
                found.add(name)
    assert not found & makers
