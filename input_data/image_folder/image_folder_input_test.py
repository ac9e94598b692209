"""Pictures from class folders: what the network sees of them, in which order, what is skipped."""

import contextlib
import io
import os
import pathlib
import struct
import zlib
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

import input_data
from input_data import Batching, DataError, InputRequest
from input_data.cifar10 import testing as cifar10_testing
from input_data.image_folder import folders, pictures
from input_data.image_folder.testing import write_class


def quiet_inputs(folder, split='train', **request):
    """(dataset, info, standard error)."""
    with contextlib.redirect_stderr(io.StringIO()) as told:
        dataset, info = input_data.inputs('image_folder', InputRequest(folder, split, **request))
    return dataset, info, told.getvalue()


class ImageFolderTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def write_parts(self, size, names=('a', 'b'), counts=(5, 4)):
        """Train and test pictures by part, class after class."""
        seeds = iter(range(100))
        return {
            part: np.concatenate(
                [
                    write_class(f'{self.folder}/{part}/{name}', count, size, next(seeds))
                    for name in names
                ]
            )
            for part, count in zip(('train', 'test'), counts, strict=True)
        }

    def read_all(self, **request):
        dataset, info, _ = quiet_inputs(self.folder, 'test', **request)
        batches = [*dataset.as_numpy_iterator()]
        return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}, info

    def test_colours_are_cifar_10s_as_png(self):
        """The same bytes as batches of the binary version give the same features."""
        stored = self.write_parts((32, 32, 3), [f'{n} plane' for n in range(10)], (5, 2))
        binary = self.create_tempdir().full_path
        labels = np.repeat(np.arange(10), 5)
        for number in range(5):
            part = slice(number * 10, number * 10 + 10)
            cifar10_testing.write_batch(
                f'{binary}/data_batch_{number + 1}.bin',
                stored['train'][part].transpose(0, 3, 1, 2),
                labels[part],
            )
        cifar10_testing.write_batch(
            f'{binary}/test_batch.bin',
            stored['test'].transpose(0, 3, 1, 2),
            np.repeat(np.arange(10), 2),
        )
        for split in ('train', 'test'):
            own, info, told = quiet_inputs(self.folder, split, batching=Batching(64, 7))
            request = InputRequest(binary, split, batching=Batching(64, 7))
            expected, published = input_data.inputs('cifar10', request)
            self.assertEqual(told, '')
            self.assertEqual(info.class_names, tuple(f'{n} plane' for n in range(10)))
            self.assertEqual(
                (info.height, info.width, info.depth, info.num_classes, info.num_examples),
                (24, 24, 3, 10, published.num_examples),
            )
            pairs = zip(own.take(3).as_numpy_iterator(), expected.as_numpy_iterator(), strict=False)
            for mine, theirs in pairs:
                for name in ('images', 'labels', 'target_labels'):
                    self.assertAllEqual(mine[name], theirs[name])
                shown = mine['target_images']
                self.assertAllInRange(shown, 0, 1)
                for seen, target in zip(mine['images'], shown[:, 0], strict=True):
                    if split == 'test':
                        again = cifar10_testing.standardize(target)
                        self.assertAllClose(again, seen, atol=1e-4)
        self.assertAllClose(shown[:, 0] * 255, stored['test'][:, 4:28, 4:28], atol=1e-4)

    def test_grey_pictures_are_shown_whole_and_move_in_training(self):
        stored = self.write_parts((28, 28))
        features, info = self.read_all(image_size=28)
        self.assertEqual((info.height, info.width, info.depth), (28, 28, 1))
        self.assertAllEqual(features['images'][..., 0], stored['test'] / np.float32(255))
        self.assertAllEqual(features['target_labels'][:, 0], [0] * 4 + [1] * 4)
        batches, _, _ = quiet_inputs(self.folder, image_size=28, batching=Batching(40, 3))
        features = next(batches.as_numpy_iterator())
        self.assertAllEqual(features['images'], features['target_images'][:, 0])
        moves = set()
        for image, label in zip(features['images'][..., 0], features['target_labels'], strict=True):
            for down, right in np.ndindex(5, 5):
                padded = np.pad(stored['train'], [(0, 0), (2, 2), (2, 2)], 'edge')
                moved = padded[:, down : down + 28, right : right + 28] / np.float32(255)
                found = np.flatnonzero((moved == image).all(axis=(1, 2)))
                if len(found):
                    self.assertEqual(found[0] // 5, label[0])
                    moves.add((down, right))
                    break
            else:
                self.fail('not moved by at most 2 pixels')
        self.assertGreater(len(moves), 12)
        still, _, _ = quiet_inputs(self.folder, image_size=28, shift=0, batching=Batching(10, 3))
        epoch = next(still.as_numpy_iterator())['images'][..., 0]
        self.assertAllEqual(
            sorted(epoch.sum(axis=(1, 2))),
            sorted((stored['train'] / np.float32(255)).sum(axis=(1, 2), dtype=np.float32)),
        )

    @parameterized.parameters((12, 12), (12, 12, 3))
    def test_a_resumed_training_sees_what_it_would_have_seen(self, *size):
        self.write_parts(size)
        whole, _, _ = quiet_inputs(self.folder, image_size=12, batching=Batching(4, 9))
        resumed, _, _ = quiet_inputs(self.folder, image_size=12, batching=Batching(4, 9, 5))
        with mock.patch.object(pictures, 'MEMORY_LIMIT_BYTES', 100):
            on_disk, _, _ = quiet_inputs(self.folder, image_size=12, batching=Batching(4, 9, 5))
        batches = zip(
            whole.skip(5).take(4).as_numpy_iterator(),
            resumed.as_numpy_iterator(),
            on_disk.as_numpy_iterator(),
            strict=False,
        )
        for expected, found, from_file in batches:
            for name, value in expected.items():
                self.assertAllEqual(found[name], value)
                self.assertAllEqual(from_file[name], value)

    def test_many_pictures_leave_memory_and_nothing_behind(self):
        self.write_parts((12, 12))
        temporary = self.create_tempdir().full_path
        with (
            mock.patch.object(pictures, 'MEMORY_LIMIT_BYTES', 100),
            mock.patch('tempfile.tempdir', temporary),
        ):
            request = InputRequest(self.folder, 'train')
            pixels, labels = pictures.read(folders.list_files(request), request, (12, 12, 1))
        self.assertIsInstance(pixels, np.memmap)
        self.assertEqual((len(pixels), os.listdir(temporary)), (10, []))
        self.assertEqual(labels.shape, (10, 1))

    def test_every_mode_and_size_is_brought_to_one(self):
        """Each way to store the same grey ramp comes out as the ramp, whatever its size."""
        ramp = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None], 64, axis=0)  # [64, 64]
        grey = Image.fromarray(ramp)
        turned = Image.Exif()
        turned[0x0112] = 6  # Orientation: to be turned by 90 degrees
        kinds = {
            '16 bits.png': (Image.fromarray(ramp.astype(np.uint16) * 257), {}),
            'alpha.png': (grey.convert('LA'), {}),
            'cmyk.tiff': (grey.convert('CMYK'), {}),
            'colours.jpg': (grey.convert('RGB'), {'quality': 100}),
            'film.gif': (grey, {'save_all': True, 'append_images': [grey.rotate(90)]}),
            'floats.tiff': (Image.fromarray(ramp.astype(np.float32) / 255), {}),
            'large.png': (grey.resize((640, 640), Image.Resampling.BICUBIC), {}),
            'palette.png': (grey.convert('P'), {}),
            'turned.png': (grey.rotate(90), {'exif': turned}),
            'wide.bmp': (Image.fromarray(np.pad(ramp, [(0, 0), (9, 9)])), {}),
        }
        folder = pathlib.Path(self.folder)
        for name in ('a', 'b'):
            write_class(folder / 'train' / name, 1, (12, 12, 3))
            (folder / 'test' / name).mkdir(parents=True)
        for name, (image, options) in kinds.items():
            image.save(folder / 'test' / 'a' / name, **options)
        features, info = self.read_all(image_size=64)
        self.assertEqual((info.height, info.depth, info.num_examples), (48, 3, len(kinds)))
        expected = ramp[8:56, 8:56, None] / 255
        for name, image in zip(sorted(kinds), features['target_images'][:, 0], strict=True):
            with self.subTest(name):
                self.assertAllClose(image, np.broadcast_to(expected, image.shape), atol=4 / 255)

    def test_transparent_parts_are_white_and_pictures_from_outside_are_treated_alike(self):
        folder = pathlib.Path(self.folder)
        for name in ('a', 'b'):
            write_class(folder / 'train' / name, 1, (12, 12, 3))
            write_class(folder / 'test' / name, 1, (30, 44, 3))
        image = Image.new('RGBA', (40, 40), (200, 0, 0, 0))
        image.paste((0, 0, 200, 255), (0, 0, 40, 20))
        image.save(folder / 'test' / 'b' / 'half.png')
        features, info = self.read_all()
        halves = features['target_images'][-1, 0]
        self.assertAllClose(halves[:10, :], np.broadcast_to([0, 0, 200 / 255], (10, 24, 3)))
        self.assertAllClose(halves[14:, :], np.ones((10, 24, 3)))
        raw = input_data.raw_images('image_folder', info)
        self.assertEqual(raw.shape, (32, 32, 3))
        for path, seen in zip(sorted(folder.glob('test/*/*')), features['images'], strict=True):
            with Image.open(path) as opened:
                pixels = raw.fit(opened)
            self.assertAllEqual(raw.to_input(tf.constant(pixels[None]))[0], seen)

    def test_what_is_no_picture_is_named_and_skipped_or_refused(self):
        self.write_parts((12, 12))
        folder = pathlib.Path(self.folder) / 'test'
        whole = (folder / 'a' / '000.png').read_bytes()
        (folder / 'a' / 'cut.png').write_bytes(whole[:-60])
        (folder / 'a' / 'folder').mkdir()
        (folder / 'b' / '001.png').write_text('hello')
        (folder / 'b' / 'bomb.png').write_bytes(png_header(60_000))
        os.mkfifo(folder / 'b' / 'pipe.png')
        dataset, info, told = quiet_inputs(self.folder, 'test')
        [batch] = dataset.as_numpy_iterator()
        self.assertEqual(info.num_examples, 7)
        self.assertAllEqual(batch['target_labels'][:, 0], [0] * 4 + [1] * 3)
        first, *lines = told.splitlines()
        self.assertEqual(first, 'Skipped 5 of 12 files (--strict refuses them):')
        for line, fault in zip(
            lines,
            (
                'a/cut.png: cannot be read as an image: ',
                'a/folder: found no regular file',
                'b/001.png: found no image; expected PNG',
                'b/bomb.png: found 3600000000 pixels; expected 64000000 at most',
                'b/pipe.png: found no regular file',
            ),
            strict=True,
        ):
            self.assertStartsWith(line, f'  {folder}/{fault}')
        with self.assertRaisesRegex(DataError, '^--strict: .*a/cut.png: cannot be read'):
            quiet_inputs(self.folder, 'test', strict=True)
        with self.assertRaisesRegex(DataError, 'a/cut.png: cannot be read'):
            input_data.check('image_folder', InputRequest(self.folder, 'test'))
        input_data.check('image_folder', InputRequest(self.folder, 'train'))
        for number in range(20):
            (folder / 'b' / f'text {number}.txt').touch()
        _, _, told = quiet_inputs(self.folder, 'test')
        self.assertEqual((told.count('\n'), told.splitlines()[-1]), (12, '  and 15 more'))

    def test_a_class_without_a_picture_cannot_be_trained(self):
        self.write_parts((12, 12))
        for path in pathlib.Path(self.folder).glob('*/b/*'):
            path.write_text('hello')
        with self.assertRaisesRegex(DataError, f'^{self.folder}/train/b: found no picture in 5 fi'):
            quiet_inputs(self.folder)
        _, info, _ = quiet_inputs(self.folder, 'test')
        self.assertEqual(info.num_examples, 4)
        for path in pathlib.Path(self.folder).glob('test/a/*'):
            path.write_text('hello')
        with self.assertRaisesRegex(DataError, '^--data_dir=.*: found no picture to evaluate'):
            quiet_inputs(self.folder, 'test')

    def test_part_of_an_evaluation_has_all_classes(self):
        stored = self.write_parts((12, 12))
        features, info = self.read_all(eval_size=4, image_size=12)
        self.assertEqual(info.num_examples, 4)
        self.assertAllEqual(features['images'][..., 0] * 255, stored['test'][::2])

    def test_a_full_disk_is_one_line(self):
        self.write_parts((12, 12))
        with (
            mock.patch.object(pictures, 'MEMORY_LIMIT_BYTES', 100),
            mock.patch('tempfile.TemporaryFile', lambda: open('/dev/full', 'r+b')),
            self.assertRaisesRegex(DataError, 'No space left on device; expected room for all pic'),
        ):
            quiet_inputs(self.folder)

    @parameterized.parameters(
        ((12, 12, 3), dict(image_size=30), '^--image_size=30: found pictures in colour.*of 4'),
        ((12, 12, 3), dict(shift=1), '^--shift=1: found pictures in colour.*expected no --shift'),
        ((12, 12), dict(shift=32), '^--shift=32: out of range; expected 0 to 31'),
        ((12, 12), dict(num_targets=2), '^--num_targets=2: expected 1 for --dataset=image_folder'),
    )
    def test_flags_that_do_not_fit(self, size, flags, message):
        self.write_parts(size)
        with self.assertRaisesRegex(DataError, message):
            quiet_inputs(self.folder, **flags)


def png_header(side):
    header = struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)
    chunks = [(b'IHDR', header), (b'IDAT', zlib.compress(bytes(100)))]
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
        for kind, body in chunks
    )


if __name__ == '__main__':
    tf.test.main()
