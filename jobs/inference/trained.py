"""A trained network for jobs that read no data set: what it is, its weights, what it says."""

import math
import os
from typing import Any, NamedTuple

import tensorflow as tf

import input_data
import layers
from common.errors import UserError
from input_data import DatasetInfo
from jobs import devices
from jobs.options import RunOptions
from jobs.run import Run
from models import Model, build_model, checkpoint

INFO_OF_RUN = ('height', 'width', 'depth', 'num_classes', 'num_targets')


class Trained(NamedTuple):
    """A network with the weights of a checkpoint."""

    model: Model
    dataset: str
    path: str  # of the checkpoint
    class_names: list[str]  # numbers where the run's config.json knows no names


class Answer(NamedTuple):
    """What a network says of images without knowing their labels."""

    scores: tf.Tensor  # [batch, classes]
    predictions: tf.Tensor  # [batch, targets] int32, highest score first
    reconstructions: tf.Tensor | None  # [batch, targets, height, width, depth] of the predictions


def load(options: RunOptions) -> Trained:
    """Restores `--checkpoint`, or the newest one in `--summary_dir`.

    The sizes of images come from data_dir where it is given; else from the config.json of
    summary_dir or of the checkpoint's run; else from the checkpoint's decoder.
    Where that config.json is found, it also stands in for --model, --dataset, --num_targets and
    hyper-parameters that are not given.

    Raises:
      UserError: for whatever is wrong with options or files.
    """
    path = options.checkpoint or checkpoint.latest(options.run.train_dir)
    if path is None:
        raise UserError(
            f'--summary_dir={options.summary_dir}: found no {checkpoint.PREFIX}-* in '
            f'{options.run.train_dir}; give --checkpoint'
        )
    checkpoint.check_exists(path)
    runs = [Run.of_checkpoint(path)] if options.checkpoint else []
    runs += [options.run] if options.summary_dir else []
    run = next((run for run in runs if run.config), runs[0])
    options, hparams = options.of_run(run.config), run.parse_hparams(options.hparams_override)
    devices.prepare(options)
    data = (run.config or {}).get('data', {})
    model = build_model(options.model, hparams, _info(options, data, path))
    checkpoint.restore(path, model, with_moments=False)
    names = data.get('class_names')
    if not isinstance(names, list) or len(names) != model.info.num_classes:
        names = range(model.info.num_classes)
    return Trained(model, options.dataset, path, [str(name) for name in names])


def answer(model: Model, images: tf.Tensor) -> Answer:
    """What a model says of [batch, height, width, depth] images, as its reader gives them."""
    routed = model.route(images)
    if routed is None:
        scores = model({'images': images}, training=False).scores  # [batch, classes]
    else:
        scores = model.scores(routed.activation)  # [batch, classes]
    predictions = layers.top_classes(scores, model.info.num_targets)  # [batch, targets]
    if routed is None or not model.reconstructs:
        return Answer(scores, predictions, None)
    return Answer(scores, predictions, model.reconstruct(routed.activation, predictions))


def _info(options: RunOptions, of_run: dict[str, Any], path: str) -> DatasetInfo:
    if options.data_dir:
        return input_data.inputs(options.dataset, options.request('test'))[1]
    if all(isinstance(of_run.get(name), int) for name in INFO_OF_RUN):
        return DatasetInfo(**{name: of_run[name] for name in INFO_OF_RUN})
    return _info_of_checkpoint(path, options.num_targets)


def _info_of_checkpoint(path: str, num_targets: int) -> DatasetInfo:
    """Sizes that the decoder's weights tell of square images."""
    shapes = checkpoint.shapes(path)
    names = ('recons/recons_3/biases', 'conv1/weights', 'capsule2/biases')
    biases, kernel, capsules = (shapes.get(name, []) for name in names)
    is_ours = (len(biases), len(kernel), len(capsules)) == (1, 4, 2) and 0 not in (*biases, *kernel)
    pixels, depth, classes = (biases[0], kernel[2], capsules[0]) if is_ours else (0, 1, 0)
    side = math.isqrt(pixels // depth)
    if not pixels or not classes or side * side * depth != pixels:
        raise UserError(
            f'checkpoint {os.path.basename(path)}: found neither config.json of its run '
            'nor a decoder for square images to tell the size of images; give the '
            '--summary_dir of the run, or --data_dir'
        )
    return DatasetInfo(side, side, depth, classes, num_targets)
