"""The prediction job: image files -> classes, lengths and reconstructions."""

import glob
import json
import os
import pathlib
import re
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

import input_data
from common import files
from common.errors import UserError, printable
from jobs.inference import any_image, trained
from jobs.inference.trained import Trained
from jobs.options import RunOptions

ENLARGED = 8  # screen pixels for one of the network, in saved pictures
MOST_FAULTS = 3  # files named in the one line that ends a run


def run(options: RunOptions) -> list[dict[str, Any]]:
    """Prints what the network sees in each image file of `--predict`, a line each.

    With `--json`, standard output holds one JSON array instead, an object a file: file,
    predictions, scores, picture; or file and error. With `--summary_dir`, pictures of input and
    reconstructions go to test/figures.

    Returns:
      The objects that --json prints.

    Raises:
      UserError: for what is wrong with options; at the end, naming files that could not be read.
      Others as `jobs.inference.trained.load`.
    """
    paths = find(options.predict)
    if options.summary_dir:
        files.check_directory(f'--summary_dir={options.summary_dir}', options.run.test_dir)
    network = trained.load(options)
    if network.model.info.depth not in (1, 3):
        raise UserError(
            f'--predict: found a network for images of {network.model.info.depth} channels '
            f'(--dataset={network.dataset}); expected 1 or 3'
        )
    folder = pathlib.Path(options.run.figures_dir) if options.summary_dir else None
    if not options.json:
        print(f'Checkpoint {network.path}')
    results, names = [], set()
    for path in paths:
        try:
            results.append(_predict(network, path, folder, names))
        except UserError as error:
            results.append({'file': path, 'error': str(error)})
        if not options.json:
            print(_line(results[-1], network), flush=True)
    if options.json:
        print(json.dumps(results, indent=2))
    elif folder is None and network.model.reconstructs:
        print('Reconstructions are not kept: give --summary_dir')
    faults = [result['error'] for result in results if 'error' in result]
    if faults:
        more = f'; and {len(faults) - MOST_FAULTS} more' if len(faults) > MOST_FAULTS else ''
        raise UserError(
            f'--predict: {len(faults)} of {len(paths)} files could not be read: '
            f'{"; ".join(faults[:MOST_FAULTS])}{more}'
        )
    return results


def find(pattern: str) -> list[str]:
    """The files of `a.png,b.png` or of a glob; a name that is neither is given back as it is.

    Raises:
      UserError: if a glob matches no file, or there is no name at all.
    """
    if os.path.exists(pattern):
        return [pattern]  # there may be a comma in its name
    paths = []
    for part in filter(None, (part.strip() for part in pattern.split(','))):
        matches = [part] if os.path.exists(part) else sorted(glob.glob(part, recursive=True))
        if not matches and glob.has_magic(part):
            raise UserError(f'--predict={part}: no file matches')
        paths.extend(matches or [part])
    if not paths:
        raise UserError(f'--predict={pattern}: found no name of an image file')
    return paths


def _predict(
    network: Trained, path: str, folder: pathlib.Path | None, names: set[str]
) -> dict[str, Any]:
    """One file's result; its picture goes to `folder`, under a name that is not in `names`."""
    info = network.model.info
    raw = input_data.raw_images(network.dataset, info)
    image = any_image.read_image(path)
    prepare = any_image.to_digit if info.depth == 1 else any_image.to_photograph
    try:
        pixels = prepare(image, *raw.shape[:2])
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    except ValueError as error:  # colours that Pillow cannot turn into others
        raise UserError(f'{path}: cannot be read as an image: {error}') from error
    answer = trained.answer(network.model, raw.to_input(tf.constant(pixels[None])))
    result = {
        'file': path,
        'predictions': answer.predictions[0].numpy().tolist(),
        'scores': answer.scores[0].numpy().tolist(),
        'picture': None,
    }
    if folder is not None and answer.reconstructions is not None:
        picture = folder / f'predict-{_unused_name(path, names)}.png'
        shown = _centre(pixels, info.height, info.width) / 255
        _save(picture, [shown, *answer.reconstructions[0].numpy()])
        result['picture'] = str(picture)
    return result


def _line(result: dict[str, Any], network: Trained) -> str:
    if 'error' in result:
        return printable(result['error'])
    classes = ' and '.join(map(str, result['predictions']))
    scores = ' '.join(f'{score:.3f}' for score in result['scores'])
    picture = f'  {result["picture"]}' if result['picture'] else ''
    return printable(f'{result["file"]}: {classes}  {network.model.score_name}s {scores}{picture}')


def _unused_name(path: str, names: set[str]) -> str:
    stem = re.sub(r'[^\w.-]', '_', pathlib.Path(path).stem)
    name, number = stem, 1
    while name in names:
        number += 1
        name = f'{stem}-{number}'
    names.add(name)
    return name


def _centre(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def _save(path: pathlib.Path, images: list[np.ndarray]) -> None:
    """Images [height, width, depth] in 0..1 beside each other, enlarged, as a PNG."""
    row = np.concatenate(images, axis=1)  # [height, images * width, depth]
    values = np.uint8(np.round(255 * np.clip(row, 0, 1))).squeeze()
    large = values.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
    with files.replacing(path) as [temporary]:
        Image.fromarray(large).save(temporary, 'PNG')
