"""The export job: a checkpoint -> a TensorFlow SavedModel that needs nothing of this project."""

import os
import pathlib

import tensorflow as tf
from absl import logging

import input_data
import layers
from common import files
from common.errors import UserError
from jobs.inference import trained
from jobs.inference.trained import Trained
from jobs.options import RunOptions
from models import Model


def run(options: RunOptions) -> str:
    """Writes a SavedModel to `--export_dir`, and returns the directory.

    Its signatures take `images` of any batch size:
      serving_default  float32 [batch, height, width, depth], as the data set's reader gives them
      serve_uint8      uint8 images, treated as the reader treats test images: [batch, 32, 32, 3]
                       for cifar10, [batch, 96, 96, 2] for norb, the network's size for the rest
    and give
      scores           float32 [batch, classes]
      predictions      int32 [batch, targets], highest score first
      reconstructions  float32 [batch, targets, height, width, depth] of the predictions, where
                       the network has a decoder

    What converts to TensorFlow Lite is printed: the fast form of routing has loops that do not.

    Raises:
      UserError: if the directory holds anything already. Others as `jobs.inference.trained.load`.
    """
    folder = pathlib.Path(str(options.export_dir)).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f'--export_dir={folder}: found something there already; expected no file, or an '
            'empty directory'
        )
    files.check_directory(f'--export_dir={options.export_dir}', folder.parent)
    _refuse_training(folder, options)
    network = trained.load(options)
    exported = tf.Module()  # holds the trained variables, and nothing of training
    exported.trained_variables = list(network.model.tf_variables().values())
    # TensorFlow tells on standard error how it renames its inner inputs; of no use to anybody.
    logging.set_verbosity(logging.WARNING)
    with files.temporary_folder(folder) as temporary, layers.without_xla():
        tf.saved_model.save(exported, str(temporary), signatures=_signatures(network))
        temporary.replace(folder)
    print(f'Checkpoint {network.path}')
    print(f'SavedModel {folder}')
    print(_describe_conversion(network.model))
    return str(folder)


def _describe_conversion(model: Model) -> str:
    methods = {}
    if model.score_name == 'length' and layers.ROUTINGS[model.hparams.routing_method] is None:
        methods['routing_method'] = 'votes'
    if model.hparams.conv_method != 'direct':  # five times the size, were it to convert
        methods['conv_method'] = 'direct'
    if not methods:
        return 'It converts to TensorFlow Lite'
    override = ','.join(f'{name}={method}' for name, method in methods.items())
    return f'One that converts to TensorFlow Lite: export with --hparams_override={override}'


def _refuse_training(folder: pathlib.Path, options: RunOptions) -> None:
    """Among checkpoints nothing else may lie: neither those of the run nor the one exported."""
    trainings = [options.run.train_dir] if options.summary_dir else []
    if options.checkpoint:
        trainings.append(os.path.dirname(options.checkpoint))
    for training in trainings:
        if folder.resolve().is_relative_to(pathlib.Path(training).resolve()):
            raise UserError(
                f'--export_dir={options.export_dir}: found a folder in {training}, which holds '
                'checkpoints; expected one elsewhere'
            )


def _signatures(network: Trained) -> dict[str, tf.types.experimental.Callable]:
    model, info = network.model, network.model.info
    raw = input_data.raw_images(network.dataset, info)

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        answer = trained.answer(model, images)
        return {name: value for name, value in answer._asdict().items() if value is not None}

    def signature(function, shape, dtype):
        return tf.function(function, [tf.TensorSpec([None, *shape], dtype, name='images')])

    return {
        'serving_default': signature(serve, (info.height, info.width, info.depth), tf.float32),
        'serve_uint8': signature(lambda images: serve(raw.to_input(images)), raw.shape, tf.uint8),
    }
