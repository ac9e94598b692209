"""PNG batches against the binary version's format."""

import io
import json
import os
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from input_data.cifar10 import png_batches, testing
from input_data.errors import DataError


def encode_png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, 'PNG')
    return buffer.getvalue()


def write_package(folder: pathlib.Path, count: int = 3) -> dict[str, bytes]:
    """Writes PNG and JSON files of noise; returns what each .bin file must hold."""
    expected, labels = {}, {}
    for seed, name in enumerate(testing.BATCHES):
        images, labels[name] = testing.random_images(count, seed)
        rows = images.reshape(count, 3, 1024).transpose(0, 2, 1)  # [count, 1024, 3]
        (folder / f'{name}.png').write_bytes(encode_png(rows))
        testing.write_batch(folder / 'expected', images, labels[name])
        expected[name] = (folder / 'expected').read_bytes()
    os.remove(folder / 'expected')
    train = np.concatenate([labels[name] for name in testing.BATCHES[:5]])
    (folder / png_batches.TRAIN_LABELS).write_text(json.dumps(train.tolist()))
    (folder / png_batches.TEST_LABELS).write_text(json.dumps(labels['test_batch'].tolist()))
    return expected


class PngBatchesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

    def test_converts_exactly(self):
        expected = write_package(self.folder)
        self.assertCountEqual(os.listdir(self.folder), png_batches.PACKAGE_FILES)
        png_batches.convert(str(self.folder))
        for name, content in expected.items():
            self.assertEqual((self.folder / f'{name}.bin').read_bytes(), content)

    @parameterized.parameters(
        (png_batches.TEST_LABELS, b'[1, 2', 'expected JSON'),
        (png_batches.TEST_LABELS, b'[1, 2, 10]', 'expected one list of classes'),
        (png_batches.TEST_LABELS, b'[1, 2.5, 1]', 'expected one list of classes'),
        (png_batches.TEST_LABELS, b'[1, 2]', 'test_batch.png: found 3 rows .* expected 2'),
        (png_batches.TRAIN_LABELS, b'[1, 2, 3]', 'data_batch_1.png: found 3 rows .* expected 1'),
        ('data_batch_2.png', b'<html>', 'data_batch_2.png: found a damaged file'),
        (
            'data_batch_2.png',
            encode_png(np.zeros((3, 1023, 3), np.uint8)),
            '3 rows of 1023 pixels of mode RGB',
        ),
        ('data_batch_2.png', encode_png(np.zeros((3, 1024), np.uint8)), '1024 pixels of mode L'),
        ('data_batch_2.png', encode_png(np.ones((3, 1024, 3), np.uint8))[:-30], 'a damaged file'),
    )
    def test_refuses(self, name, content, message):
        write_package(self.folder)
        (self.folder / name).write_bytes(content)
        with self.assertRaisesRegex(DataError, message):
            png_batches.convert(str(self.folder))


if __name__ == '__main__':
    absltest.main()
