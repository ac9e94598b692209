"""Installs experiment.py and its packages, with the commands `capsnet` and `mnist-shift`."""

import pathlib

from setuptools import find_packages, setup

setup(
    name='capsnet',
    version='1.1.0',
    license='Apache-2.0',
    description='Dynamic Routing Between Capsules in TensorFlow 2, faithful to the release',
    long_description=pathlib.Path('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    python_requires='>=3.10',
    classifiers=[
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
    ],
    py_modules=['experiment'],
    packages=find_packages(include=['common*', 'layers*', 'models*', 'input_data*', 'jobs*']),
    package_data={'jobs.visualization': ['templates/*']},
    install_requires=[
        'absl-py>=2.1',
        'filelock>=3.29.7',  # older ones remove lock files, perhaps those of others
        'google-crc32c>=1.5',
        'jinja2>=3.1.2',
        'keras>=3.5',  # ops.map and ops.custom_gradient
        'matplotlib>=3.8',
        'numpy>=1.26',
        'pillow>=10.3',
        'pooch>=1.8',  # downloads
        'scipy>=1.11.1',  # affNIST's MATLAB files; 1.11.0 was withdrawn
        # TensorFlow writes summaries through it and no longer installs it; before 2.16.2 it asks
        # for a nightly tf-keras.
        'tensorboard>=2.16.2',
        'tensorflow>=2.16.1',  # there is no 2.16.0
        'tqdm>=4.66',
    ],
    extras_require={
        'demo': ['mlxtend>=0.23'],
        'test': [
            'hypothesis>=6.100',
            'import-linter>=2.12',
            'ipykernel>=6.29',
            'mlxtend>=0.23',
            'mypy>=1.11',
            'nbclient>=0.10',
            'nbformat>=5.10',
            'pytest>=8.0',
            'pytest-xdist>=3.5',
            'ruff==0.17.6',
            'selenium>=4.20',
            "tomli>=2; python_version < '3.11'",  # the list of runs in results/
        ],
    },
    entry_points={
        'console_scripts': [
            'capsnet = experiment:run',
            'mnist-shift = input_data.mnist.mnist_shift:run',
        ]
    },
)
