"""Random numbers that are a function of (seed, what is drawn, position) alone.

Nothing keeps a random state: any example can be made alone, in any order, by any process, and is
always the same. Philox4x32-10 (Salmon et al., 2011) hashes a key and a counter into four words of
32 bits. The key is the seed; the counter's high half stands for what is drawn, its low half for
the position.

Writers of files draw by NumPy and need no TensorFlow; `tensor_...` are the same numbers as
TensorFlow operations, which do not hold Python's lock, so that a pipeline keeps up with a GPU.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

BLOCK = 4  # words that Philox gives for one value of its counter
PERMUTATION_KEY = 8  # words that choose a permutation, one for each round

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(2**32 - 1)
_PHILOX = 1  # its number in tf.random.Algorithm


def draw_words(seed: int, drawn: str, positions: np.ndarray, count: int) -> np.ndarray:
    """Random 32-bit words: int64 [k, count], each in range(2^32).

    Args:
      seed: any integer; its low 64 bits count.
      drawn: what is drawn; another name gives other numbers.
      positions: int64 [k], 0 or more.
      count: words of each position; another count gives other words.
    """
    blocks = -(-count // BLOCK)
    counters = (positions[:, None] * blocks + np.arange(blocks)).astype(np.uint64)  # [k, blocks]
    words = philox(counters, _name_word(drawn), seed % 2**64)  # [k, blocks, 4]
    return words.reshape(len(positions), -1)[:, :count].astype(np.int64)  # [k, count]


def tensor_words(seed: int, drawn: str, positions: tf.Tensor, count: int) -> tf.Tensor:
    """`draw_words` for int64 positions [batch] of which each is one more than the one before."""
    import tensorflow as tf

    blocks = -(-count // BLOCK)
    first = tf.cast(positions[0] * blocks, tf.uint64)
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.stack([tf.size(positions), blocks * BLOCK]),
        key=np.array([seed % 2**64], np.uint64),
        counter=tf.stack([first, tf.constant(_name_word(drawn), tf.uint64)]),
        alg=_PHILOX,
        dtype=tf.uint32,
    )  # [batch, blocks * 4]
    return tf.cast(words[:, :count], tf.int64)


def draw_uniform(seed: int, drawn: str, positions: np.ndarray, count: int) -> np.ndarray:
    """As `draw_words`, but float32 [k, count] in [0, 1), multiples of 2^-24."""
    return (draw_words(seed, drawn, positions, count) >> 8).astype(np.float32) * np.float32(2**-24)


def tensor_uniform(seed: int, drawn: str, positions: tf.Tensor, count: int) -> tf.Tensor:
    """`draw_uniform` for positions as those of `tensor_words`."""
    import tensorflow as tf

    return tf.cast(tensor_words(seed, drawn, positions, count) // 2**8, tf.float32) * 2**-24


def scale(words, limit):
    """Random words -> integers in range(limit), int64 both; arrays of NumPy or TensorFlow.

    Off from uniform by less than limit / 2^32.
    """
    return words * limit // 2**32


def permute(positions: np.ndarray, counts: int | np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Where random permutations of range(count) take positions, int64 [k]; needs no memory.

    A Feistel network permutes range(side^2), side^2 being count or little more; what falls
    outside range(count) goes through it again until it is inside. Each round adds a hash of one
    half and a word of the key to the other half; with fewer rounds than eight, permutations of
    some ten numbers are not equally likely, as 10,000 of them show.

    Args:
      positions: int64 [k], each in range(count).
      counts: how many numbers are permuted, below 2^48; one for all or int64 [k].
      keys: words [k, PERMUTATION_KEY], or [1, PERMUTATION_KEY] for all; each key is a permutation.
    """
    counts = np.broadcast_to(counts, positions.shape)
    key = np.broadcast_to(keys.T, (PERMUTATION_KEY, len(positions)))
    sides = np.ceil(np.sqrt(counts)).astype(np.int64)
    result, outside = positions.copy(), np.arange(len(positions))
    while len(outside):
        result[outside] = _mix(result[outside], sides[outside], key[:, outside])
        outside = outside[result[outside] >= counts[outside]]
    return result


def tensor_permute(positions: tf.Tensor, counts: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """`permute` of int64 tensors [batch], [batch] and [batch, PERMUTATION_KEY]."""
    import tensorflow as tf

    key = tf.unstack(keys, axis=1)
    sides = tf.cast(tf.math.ceil(tf.sqrt(tf.cast(counts, tf.float64))), tf.int64)
    return tf.while_loop(
        lambda result: tf.reduce_any(result >= counts),
        lambda result: [tf.where(result >= counts, _mix(result, sides, key), result)],
        [_mix(positions, sides, key)],
    )[0]


def philox(low: np.ndarray, high: int, key: int) -> np.ndarray:
    """Philox4x32-10: counters (high * 2^64 + low), low uint64 [...] -> uint64 [..., 4] words."""
    halves = (low, np.full_like(low, high))
    words = [each for half in halves for each in (half & _LOW, half >> np.uint64(32))]
    for turn in range(_ROUNDS):
        left = np.uint64((key + turn * _KEY_STEPS[0]) % 2**32)
        right = np.uint64(((key >> 32) + turn * _KEY_STEPS[1]) % 2**32)
        own, other = words[0] * _MULTIPLIERS[0], words[2] * _MULTIPLIERS[1]
        words = [
            (other >> np.uint64(32)) ^ words[1] ^ left,
            other & _LOW,
            (own >> np.uint64(32)) ^ words[3] ^ right,
            own & _LOW,
        ]
    return np.stack(words, axis=-1)


def _mix(values, sides, key):
    """The Feistel network of `permute`, by arithmetic that NumPy and TensorFlow share."""
    left, right = values // sides, values % sides
    for word in key:
        hashed = (right * 0x9E3779B1 + word) % 2**32
        hashed = (hashed ^ hashed // 2**16) * 0x7FEB352D % 2**32
        left, right = right, (left + scale(hashed, sides)) % sides
    return left * sides + right


def _name_word(drawn: str) -> int:
    """A number of 64 bits that stands for a name."""
    return int.from_bytes(hashlib.sha256(drawn.encode()).digest()[:8], 'little')
