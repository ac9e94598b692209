"""The prediction job: image files -> classes, lengths and reconstructions."""

import glob
import itertools
import json
import os
import pathlib
import re
from typing import Any

import numpy as np
import tensorflow as tf

import input_data
from common import files
from common.errors import UserError, printable
from input_data import image_files
from jobs.inference import any_image, trained
from jobs.inference.trained import Answer, Trained
from jobs.options import RunOptions

MOST_STEM = 100  # bytes of a file's name that its picture's name keeps: most systems have 255
MOST_SCORES = 20  # in a line
PICTURE_INCHES = 2.2  # the height of an image in a saved picture


def run(options: RunOptions) -> list[dict[str, Any]]:
    """Prints what the network sees in each image file of `--predict`, a line each.

    With `--json`, standard output holds one JSON array instead, which is returned in any case, of
    an object a file: file, predictions, classes (their names), scores, note, picture; or file and
    error. With `--summary_dir`, pictures of input and reconstructions go to test/figures.

    Raises:
      UserError: for what is wrong with options; at the end, naming files that could not be read.
      Others as `jobs.inference.trained.load`.
    """
    paths = find_images(str(options.predict))
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
    results = _predict_files(network, paths, folder, quiet=options.json)
    if options.json:
        print(json.dumps(results, indent=2))
    elif folder is None and network.model.reconstructs:
        print('Reconstructions are not kept: give --summary_dir')
    faults = [result['error'] for result in results if 'error' in result]
    if faults:
        raise UserError(
            f'--predict: {len(faults)} of {len(paths)} files could not be read: {"; ".join(faults)}'
        )
    return results


def _predict_files(
    network: Trained, paths: list[str], folder: pathlib.Path | None, quiet: bool
) -> list[dict[str, Any]]:
    """A result for each file, or its error; prints results as they come, unless `quiet`."""
    results: list[dict[str, Any]] = []
    names: set[str] = set()
    for path in paths:
        try:
            results.append(_predict(network, path, folder, names))
        except UserError as error:
            results.append({'file': path, 'error': str(error)})
            continue
        if not quiet:
            print(_line(results[-1], network), flush=True)
    return results


def find_images(pattern: str) -> list[str]:
    """The files of `a.png,b.png` or of a glob; a name that is neither is given back as it is.

    Raises:
      UserError: if a glob matches no file, or there is no name at all.
    """
    if os.path.exists(pattern):
        return [pattern]  # there may be a comma in its name
    if glob.has_magic(pattern) and (matches := sorted(glob.glob(pattern, recursive=True))):
        return matches  # or in that of a folder
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
    image = image_files.read_image(path)
    prepare = any_image.to_digit if info.depth == 1 else image_files.to_picture
    try:
        pixels = raw.fit(image) if raw.fit else prepare(image, *raw.shape[:2])
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    except ValueError as error:  # colours that Pillow cannot turn into others
        raise UserError(f'{path}: cannot be read as an image: {error}') from error
    features = raw.to_input(tf.constant(pixels[None]))  # [1, height, width, depth]
    answer = trained.answer(network.model, features)
    result = {
        'file': path,
        'predictions': answer.predictions[0].numpy().tolist(),
        'scores': answer.scores[0].numpy().tolist(),
        'note': 'first of several frames' if image.info.get(image_files.MORE_FRAMES) else None,
        'picture': None,
    }
    result['classes'] = [network.class_names[number] for number in result['predictions']]
    if folder is not None and answer.reconstructions is not None:
        picture = folder / f'predict-{_unused_name(path, names)}.png'
        _draw_picture(picture, features[0].numpy(), answer, network)
        result['picture'] = str(picture)
    return result


def _draw_picture(path: pathlib.Path, seen: np.ndarray, answer: Answer, network: Trained) -> None:
    """A PNG of the network's input and of what it draws of the classes it predicts."""
    # Lazily: Matplotlib takes a second to import.
    from jobs.visualization import draw, images

    reconstructions: Any = answer.reconstructions  # of a network that has some
    classes, drawn = answer.predictions[0].numpy(), reconstructions[0].numpy()
    titles = ['input'] + [
        f'reconstruction of\n{network.class_names[number]}, '
        f'{network.model.score_name} {answer.scores[0, number]:.3f}'
        for number in classes
    ]
    pictures = np.stack([images.displayable(one) for one in (seen, *drawn)])
    title = 'What the network sees, and what it makes of it'
    figure = draw.draw_strips({'': pictures}, titles, title, PICTURE_INCHES)
    with files.replacing(path) as [temporary]:
        temporary.write_bytes(draw.encode_figure(figure))


def _line(result: dict[str, Any], network: Trained) -> str:
    classes = ' and '.join(result['classes'])
    named = [*zip(network.class_names, result['scores'], strict=True)]
    if len(named) > MOST_SCORES:  # then the highest ones
        named = sorted(named, key=lambda one: -one[1])[:MOST_SCORES]
    scores = ' '.join(f'{name}={score:.3f}' for name, score in named)
    parts = [f'{network.model.score_name}s {scores}', result['note'], result['picture']]
    return printable('  '.join([f'{result["file"]}: {classes}', *filter(None, parts)]))


def _unused_name(path: str, names: set[str]) -> str:
    stem = re.sub(r'[^\w.-]', '_', pathlib.Path(path).stem)
    stem = stem.encode()[:MOST_STEM].decode(errors='ignore')
    numbered = itertools.chain([stem], (f'{stem}-{number}' for number in itertools.count(2)))
    name = next(name for name in numbered if name not in names)
    names.add(name)
    return name
