"""Many image files at once are read as one by one, and Pillow's own settings stay."""

import warnings

import numpy as np
from PIL import Image

from common.errors import UserError
from input_data import image_files


def test_many_files_come_in_order_with_their_faults(tmp_path):
    values = np.arange(600 * 4, dtype=np.int64).reshape(600, 2, 2) % 256
    paths = []
    for number, pixels in enumerate(values):
        paths.append(str(tmp_path / f'{number}.png'))
        Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    (tmp_path / '300.png').write_text('hello')

    def prepare(image):
        if np.asarray(image).max() == 7:
            raise OverflowError('too dark')
        return np.asarray(image)

    limit, filters = Image.MAX_IMAGE_PIXELS, [*warnings.filters]
    results = [*image_files.read_images(paths, prepare)]
    assert (Image.MAX_IMAGE_PIXELS, warnings.filters) == (limit, filters)
    faults = {number: str(one) for number, one in enumerate(results) if isinstance(one, UserError)}
    assert faults.pop(300).startswith(f'{paths[300]}: found no image')
    assert set(faults) == {1 + 64 * turn for turn in range(10)}
    assert faults[1] == f'{paths[1]}: cannot be read as an image: too dark'
    for number in {*range(600)} - {*faults, 300}:
        np.testing.assert_array_equal(results[number], values[number])


def test_grey_is_told_by_modes_and_not_by_what_cannot_be_read(tmp_path):
    grey = []
    for mode in ('1', 'L', 'LA', 'I', 'I;16', 'F'):
        path = tmp_path / f'{mode}.tiff'
        Image.new(mode, (3, 3)).save(path)
        grey.append(str(path))
    (tmp_path / 'text.png').write_text('hello')
    grey += [str(tmp_path / 'text.png'), str(tmp_path), str(tmp_path / 'absent')]
    assert image_files.are_grey(grey)
    for mode, kind in (('RGB', 'png'), ('P', 'png'), ('CMYK', 'tiff'), ('RGBA', 'png')):
        path = tmp_path / f'{mode}.{kind}'
        Image.new(mode, (3, 3)).save(path)
        assert not image_files.are_grey([*grey, str(path)])
