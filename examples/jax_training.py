"""CapsNet trained on MNIST by JAX alone: data, network, training and test without TensorFlow.

`KERAS_BACKEND=jax python -m examples.jax_training --data_dir=data/mnist_data` needs Keras, JAX and
MNIST's raw files. The network, its loss, Adam, the fall of the learning rate and the moves of the
digits are those of `experiment.py --dataset=shifted_mnist`; the random numbers are others. With
--state a training that was stopped goes on.
"""

import dataclasses
import functools
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import keras
import numpy as np
from absl import app, flags
from jax import numpy as jnp
from keras import ops

import layers
from common import files
from common.errors import UserError
from input_data.mnist import raw

Tensor = Any

FLAGS = flags.FLAGS
flags.DEFINE_string('data_dir', 'data/mnist_data', 'folder of the raw files')
flags.DEFINE_integer('steps', 25_000, 'to train to, in all', lower_bound=1)
flags.DEFINE_integer('batch_size', 128, 'digits of a step', lower_bound=1)
flags.DEFINE_integer('decay_steps', 167, 'in which the learning rate falls to 0.96 of itself', 1)
flags.DEFINE_enum('loss_type', 'margin', [*layers.LOSSES], 'margin is 1/20 of Eq. 4 (release)')
flags.DEFINE_integer('routing', 3, 'iterations', lower_bound=1)
flags.DEFINE_bool('remake', True, 'whether there is a decoder and its loss')
flags.DEFINE_integer('seed', 1, 'of weights, order and moves')
flags.DEFINE_string('state', None, 'file (.npz) to keep the training in, and to go on from')

SHIFT = 2  # pixels, paper Section 5
TEST_BATCH = 1000
SECONDS_BETWEEN_SAVES = 300  # at least, at the end of an epoch


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to train; see the flags."""

    steps: int
    batch_size: int
    decay_steps: int
    loss_type: str
    seed: int
    state: str | None


class Digits(NamedTuple):
    """Digits on the device."""

    images: Tensor  # [n, height, width, 1] uint8
    labels: Tensor  # [n, 10] float32, one-hot


class State(NamedTuple):
    """What a training step changes."""

    weights: list[Tensor]
    adam: list[Tensor]  # the step, then the moments


class Sums(NamedTuple):
    """Over the steps of an epoch."""

    loss: Tensor
    wrong: Tensor


def read_digits(data_dir: str, part: str) -> Digits:
    """Reads 'train' or 'test'; raises DataError if a file is missing or damaged."""
    images, labels = raw.read_pair(data_dir, part)
    return Digits(jnp.asarray(images[..., None]), jnp.eye(10)[labels])


def build_network(
    height: int, width: int, routing: int, remake: bool, types: int = 32
) -> keras.Model:
    """The network of paper Section 4: images and labels -> lengths [batch, 10], digits drawn."""
    images, labels = keras.Input((height, width, 1)), keras.Input((10,))
    maps = keras.layers.Conv2D(
        256,
        9,
        activation='relu',
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.05),  # release
        bias_initializer=keras.initializers.Constant(0.1),  # release
    )(images)
    grid = layers.ConvCapsule(types, 8)(ops.expand_dims(maps, 3))  # [batch, 6, 6, 32, 8]
    capsules = layers.Capsule(10, 16, iterations=routing)(layers.flatten_grid(grid))
    outputs = {'lengths': layers.Length()(capsules)}
    if remake:
        masked = layers.mask_capsules(capsules, ops.argmax(labels, axis=-1))  # [batch, 10, 16]
        outputs['drawn'] = layers.Decoder(height, width, 1)(masked)
    return keras.Model([images, labels], outputs)


def make_optimizer(decay_steps: int) -> keras.optimizers.Optimizer:
    """Adam as the release has it: the rate falls to 0.96 of itself in `decay_steps`."""
    rate = keras.optimizers.schedules.ExponentialDecay(0.001, decay_steps, 0.96)
    return keras.optimizers.Adam(rate, epsilon=1e-8)


def init_state(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> State:
    """The state of a network that is not trained yet."""
    optimizer.build(model.trainable_variables)
    variables = model.trainable_variables, optimizer.variables
    return State(*([variable.value for variable in each] for each in variables))


def make_step(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, settings: Settings
) -> Callable[..., tuple[State, Sums]]:
    """A compiled function that trains on batch `number` of an epoch and adds to its sums."""

    def measure_loss(weights, images, labels):
        outputs, _ = model.stateless_call(weights, [], [images, labels], training=True)
        loss = layers.LOSSES[settings.loss_type](outputs['lengths'], labels)
        if 'drawn' in outputs:
            pair = outputs['drawn'][:, None], images[:, None]  # [batch, 1, height, width, 1]
            loss = loss + ops.sum(layers.reconstruction_loss(*pair))
        hits = layers.count_hits(outputs['lengths'], labels, 1)
        return loss, jnp.sum(1 - hits.correct)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def train_step(state, sums, digits, order, key, number):
        start = number * settings.batch_size
        chosen = jax.lax.dynamic_slice_in_dim(order, start, settings.batch_size)
        moved = shift_digits(jax.random.fold_in(key, number), digits.images[chosen])
        images = moved.astype(jnp.float32) / 255
        differentiate = jax.value_and_grad(measure_loss, has_aux=True)
        (loss, wrong), grads = differentiate(state.weights, images, digits.labels[chosen])
        weights, adam = optimizer.stateless_apply(state.adam, grads, state.weights)
        return State(weights, adam), Sums(sums.loss + loss, sums.wrong + wrong)

    return train_step


def shift_digits(key: Tensor, images: Tensor) -> Tensor:
    """Moves each image of [batch, height, width, 1] by -2 to 2 pixels; what enters is black."""
    padded = jnp.pad(images, [(0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)])
    starts = jax.random.randint(key, (len(images), 2), 0, 2 * SHIFT + 1)

    def cut(image, start):
        return jax.lax.dynamic_slice(image, (*start, 0), images.shape[1:])

    return jax.vmap(cut)(padded, starts)


def train(model: keras.Model, digits: Digits, settings: Settings) -> State:
    """Trains to `settings.steps`, from where `settings.state` stands; tells of each epoch."""
    optimizer = make_optimizer(settings.decay_steps)
    state = init_state(model, optimizer)
    if settings.state and os.path.exists(settings.state):
        state = load_state(settings.state, state)
    train_step = make_step(model, optimizer, settings)
    per_epoch, steps = len(digits.images) // settings.batch_size, settings.steps
    saved = time.monotonic()
    while (step := int(state.adam[0])) < steps:
        began = time.monotonic()
        epoch, first = divmod(step, per_epoch)
        last = min(per_epoch, first + steps - step)
        key = jax.random.fold_in(jax.random.key(settings.seed), epoch)
        order, sums = jax.random.permutation(key, len(digits.images)), Sums(*jnp.zeros(2))
        for number in range(first, last):
            state, sums = train_step(state, sums, digits, order, key, number)
        loss, wrong = (float(total) / (last - first) for total in sums)
        step += last - first
        print(
            f'step {step}/{steps}: loss {loss:.5f}, {100 * wrong / settings.batch_size:.2f} % of '
            f'training digits wrong, {1000 * (time.monotonic() - began) / (last - first):.2f} ms a '
            'step',
            flush=True,
        )
        is_due = step == steps or time.monotonic() - saved > SECONDS_BETWEEN_SAVES
        if settings.state and is_due:
            save_state(settings.state, state)
            saved = time.monotonic()
    return state


def save_state(path: str, state: State) -> None:
    """Writes an .npz, whole or not at all."""
    leaves = jax.tree.leaves(state)
    files.write_arrays(path, {str(n): np.asarray(leaf) for n, leaf in enumerate(leaves)})


def load_state(path: str, like: State) -> State:
    """What `save_state` wrote; raises UserError if it is of another network."""
    leaves, structure = jax.tree.flatten(like)
    with np.load(path) as arrays:
        found = [jnp.asarray(arrays[str(n)]) for n in range(len(arrays.files))]
    if [leaf.shape for leaf in leaves] != [leaf.shape for leaf in found]:
        raise UserError(f'--state={path}: found another network; expected that of the flags')
    return jax.tree.unflatten(structure, found)


def count_wrong(model: keras.Model, state: State, digits: Digits) -> int:
    """How many digits the longest class capsule is not the label of."""

    @jax.jit
    def count_batch(weights, images, labels):
        inputs = [images.astype(jnp.float32) / 255, labels]
        outputs, _ = model.stateless_call(weights, [], inputs, training=False)
        return jnp.sum(1 - layers.count_hits(outputs['lengths'], labels, 1).correct)

    wrong = 0
    for number in range(0, len(digits.images), TEST_BATCH):
        batch = (part[number : number + TEST_BATCH] for part in digits)
        wrong += int(count_batch(state.weights, *batch))
    return wrong


def main(arguments: list[str]) -> None:
    """Trains, then tells the test error."""
    if keras.backend.backend() != 'jax':
        sys.exit(f'KERAS_BACKEND: found {keras.backend.backend()}; expected jax')
    names = [field.name for field in dataclasses.fields(Settings)]
    settings = Settings(**{name: getattr(FLAGS, name) for name in names})
    try:
        digits, test = (read_digits(FLAGS.data_dir, part) for part in ('train', 'test'))
        keras.utils.set_random_seed(FLAGS.seed)
        _, height, width, _ = digits.images.shape
        model = build_network(height, width, FLAGS.routing, FLAGS.remake)
        state = train(model, digits, settings)
    except UserError as error:
        sys.exit(f'jax_training: {error}')
    except KeyboardInterrupt:
        sys.exit('jax_training: interrupted; what --state holds stays')
    wrong, total = count_wrong(model, state, test), len(test.images)
    print(f'Test error: {wrong} of {total} wrong ({100 * wrong / total:g} %)')


if __name__ == '__main__':
    app.run(main)
