"""Any image becomes one like MNIST's: polarity, transparency, depth, box and centre of mass."""

import pathlib
import struct
import zlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from common.errors import UserError
from input_data import image_files
from jobs.inference import any_image

INK, PAPER = 20, 235


def drawing(height=90, width=120, top=10, left=70, ink_height=60, ink_width=20):
    """A thick bar with a foot, dark on light, off the centre: uint8 [height, width]."""
    values = np.full((height, width), PAPER, np.uint8)
    values[top : top + ink_height, left : left + ink_width] = INK
    values[top + ink_height - 10 : top + ink_height, left : left + 2 * ink_width] = INK
    return values


def centre_of_mass(values):
    rows, columns = np.indices(values.shape)
    return np.average(rows + 0.5, weights=values), np.average(columns + 0.5, weights=values)


class PredictImagesTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def digit(self, image, height=28, width=28):
        return any_image.to_digit(image, height, width)[..., 0]

    @parameterized.parameters((28, 28, 20), (40, 40, 29), (36, 36, 26))
    def test_fits_the_box_and_is_centred_by_mass(self, height, width, box):
        digit = self.digit(Image.fromarray(drawing()), height, width)
        self.assertEqual(digit.shape, (height, width))
        rows, columns = (np.flatnonzero((digit > 127).any(axis)) for axis in (1, 0))
        self.assertEqual(rows[-1] - rows[0] + 1, box)
        self.assertNear(columns[-1] - columns[0] + 1, box * 40 / 60, 1.01)  # aspect kept
        for centre, side in zip(centre_of_mass(digit), (height, width), strict=True):
            self.assertNear(centre, side / 2, 0.51)  # whole pixels
        self.assertEqual((digit.min(), digit.max()), (0, 255))

    def test_every_kind_of_image_gives_the_same_digit(self):
        dark = drawing()
        expected = self.digit(Image.fromarray(dark))
        opacity = np.where(dark == INK, 255, 0).astype(np.uint8)
        kinds = {
            'light on dark': Image.fromarray(255 - dark),
            'colours': Image.fromarray(dark).convert('RGB'),
            'palette': Image.fromarray(dark).convert('P'),
            'print colours': Image.fromarray(dark).convert('CMYK'),
            '16 bits': Image.fromarray(dark.astype(np.uint16) * 257),
            'floats': Image.fromarray(dark.astype(np.float32) / 255),
            'black ink on nothing': Image.merge(
                'LA', [Image.new('L', (120, 90), 0), *_one(opacity)]
            ),
            'white ink on nothing': Image.merge(
                'LA', [Image.new('L', (120, 90), 255), *_one(opacity)]
            ),
            'one bit': Image.fromarray(dark).convert('1', dither=Image.Dither.NONE),
        }
        for name, image in kinds.items():
            with self.subTest(name):
                self.assertAllClose(self.digit(image), expected, atol=1)

    def test_an_image_of_the_networks_size_is_only_turned_over(self):
        digits = np.random.default_rng(0).integers(0, 200, (28, 28)).astype(np.uint8)
        digits[[0, -1]] = digits[:, [0, -1]] = 0
        np.testing.assert_array_equal(self.digit(Image.fromarray(digits)), digits)
        np.testing.assert_array_equal(self.digit(Image.fromarray(255 - digits)), digits)

    def test_noise_of_the_paper_does_not_count(self):
        noise = np.random.default_rng(0).integers(-8, 9, (90, 120))
        noisy = Image.fromarray(np.uint8(drawing() + noise))
        self.assertAllClose(self.digit(noisy), self.digit(Image.fromarray(drawing())), atol=30)

    @parameterized.parameters('rising', 'lamp', 'board')
    def test_uneven_light_is_made_up_for(self, kind):
        rows, columns = np.mgrid[0:1:90j, 0:1:120j]
        light = {
            'rising': 0.25 + 0.75 * columns,
            'lamp': 0.3 + 0.7 * np.exp(-((columns - 0.2) ** 2 + (rows - 0.1) ** 2) / 0.5),
            'board': 0.4 + 0.6 * rows,
        }[kind]
        # Chalk on a board, or ink on paper.
        reflected = 255 - 0.8 * drawing() if kind == 'board' else drawing()
        noise = np.random.default_rng(0).normal(0, 2, (90, 120))
        photo = np.uint8(np.clip(reflected * light + noise, 0, 255))
        self.assertGreater(np.ptp(photo[[0, -1]].astype(int)), 40)  # paper, not noise
        digit = self.digit(Image.fromarray(photo))
        self.assertAllClose(digit, self.digit(Image.fromarray(drawing())), atol=40)
        self.assertEqual(np.median(digit[[0, 1, -2, -1]]), 0)

    @parameterized.parameters('half', 'corner')
    def test_a_shadow_that_cannot_be_told_from_ink_is_refused(self, kind):
        rows, columns = np.mgrid[0:1:90j, 0:1:120j]
        shadow = columns + 0.3 * rows > 0.6 if kind == 'half' else columns + rows < 0.6
        photo = np.uint8(drawing() * np.where(shadow, 0.4, 1))
        with self.assertRaisesRegex(UserError, 'found shadows or other broad areas; expected'):
            self.digit(Image.fromarray(photo))

    def test_paper_alone_is_no_digit_in_uneven_light(self):
        light = np.linspace(60, 230, 120) * np.ones((90, 1))
        with self.assertRaisesRegex(UserError, 'found an image of one colour'):
            self.digit(Image.fromarray(np.uint8(light)))

    def test_tells_of_further_frames(self):
        frames = [Image.fromarray(values) for values in (drawing(), 255 - drawing())]
        for name, images in (('one.gif', frames[:1]), ('two.gif', frames), ('two.tiff', frames)):
            path = str(self.directory / name)
            images[0].save(path, save_all=True, append_images=images[1:])
            image = image_files.read_image(path)
            self.assertEqual(image.info[image_files.MORE_FRAMES], name.startswith('two'))
            self.assertAllClose(np.asarray(image.convert('L')), drawing(), atol=1)

    def test_one_black_speck_does_not_pale_grey_ink(self):
        speckled = np.where(drawing() == INK, 120, PAPER).astype(np.uint8)
        speckled[20, 75] = 0
        digit = self.digit(Image.fromarray(speckled))
        self.assertAllClose(digit, self.digit(Image.fromarray(drawing())), atol=1)

    def test_a_dot_and_a_line_fit(self):
        for ink_height, ink_width in ((1, 1), (80, 1), (1, 110)):
            values = np.zeros((90, 120), np.uint8)
            values[5 : 5 + ink_height, 5 : 5 + ink_width] = 255
            self.assertEqual(self.digit(Image.fromarray(values)).max(), 255)

    def test_one_colour_is_no_digit(self):
        for size in ((28, 28), (50, 40)):
            with self.assertRaisesRegex(UserError, 'found an image of one colour'):
                self.digit(Image.new('L', size, 200))

    def test_photographs_are_cut_to_the_middle(self):
        values = np.zeros((64, 128, 3), np.uint8)
        values[:, 32:96] = (10, 200, 30)  # the middle square
        photograph = image_files.to_picture(Image.fromarray(values), 32, 32)
        self.assertEqual((photograph.shape, photograph.dtype), ((32, 32, 3), np.uint8))
        self.assertAllEqual(photograph[:, 2:-2].reshape(-1, 3).max(axis=0), [10, 200, 30])
        self.assertAllEqual(photograph[:, 2:-2].reshape(-1, 3).min(axis=0), [10, 200, 30])
        same = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
        self.assertAllEqual(image_files.to_picture(Image.fromarray(same), 32, 32), same)

    @parameterized.parameters('PNG', 'JPEG', 'GIF', 'BMP', 'WEBP', 'TIFF')
    def test_reads_formats(self, kind):
        path = str(self.directory / 'image')  # the ending does not matter
        Image.fromarray(drawing()).save(path, kind)
        image = image_files.read_image(path)
        self.assertEqual(image.size, (120, 90))
        self.assertAllClose(
            self.digit(image), self.digit(Image.fromarray(drawing())), atol=25
        )  # JPEG

    def test_turns_as_the_camera_says(self):
        path = str(self.directory / 'turned.jpg')
        exif = Image.Exif()
        exif[0x0112] = 6  # Orientation: to be turned by 90 degrees
        Image.fromarray(drawing()).save(path, exif=exif)
        self.assertEqual(image_files.read_image(path).size, (90, 120))

    def test_huge_images_are_refused_unread(self):
        path = self.directory / 'bomb.png'
        header = struct.pack('>IIBBBBB', 60_000, 60_000, 8, 0, 0, 0, 0)
        chunks = [_chunk(b'IHDR', header), _chunk(b'IDAT', zlib.compress(bytes(1000)))]
        path.write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(chunks))
        with self.assertRaisesRegex(UserError, r'bomb.png: found 3600000000 pixels; expected'):
            image_files.read_image(str(path))

    def test_what_is_no_image_is_named(self):
        text = self.directory / 'text.png'
        text.write_text('hello')
        whole = self.directory / 'whole.png'
        noise = np.random.default_rng(0).integers(0, 256, (90, 90)).astype(np.uint8)
        Image.fromarray(noise).save(whole)
        cut = self.directory / 'cut.png'
        cut.write_bytes(whole.read_bytes()[:2000])
        for path, message in (
            (text, 'text.png: found no image'),
            (cut, 'cut.png: cannot be read as an image'),
            (self.directory, 'found no regular file'),
            (self.directory / 'absent.png', 'absent.png: no such file'),
        ):
            with self.assertRaisesRegex(UserError, message):
                image_files.read_image(str(path))


def _chunk(kind, content):
    checksum = struct.pack('>I', zlib.crc32(kind + content))
    return struct.pack('>I', len(content)) + kind + content + checksum


def _one(values):
    return [Image.fromarray(values)]


if __name__ == '__main__':
    tf.test.main()
