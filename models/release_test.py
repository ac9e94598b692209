"""What the release's own tests assert and no other test here does; docs/design.md lists all 35."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import layers
from input_data import DatasetInfo
from models import HParams, Model, build_model

INFO = DatasetInfo(32, 32, 1, 10, 1)


class ReleaseTest(tf.test.TestCase, parameterized.TestCase):
    def test_a_network_without_layers_has_only_its_step(self):
        model = Model(HParams(), INFO)
        self.assertEqual(model.step.numpy(), 0)
        self.assertFalse(model.step.trainable)
        self.assertEmpty(model.trainable_variables)

    def test_squash_of_rank_six(self):
        squashed = layers.squash(tf.ones([1, 1, 2, 1, 1, 1]), axis=2)
        # |s|^2 = 2: a length of 2/3, shared by two equal components.
        self.assertAllClose(squashed, np.full((1, 1, 2, 1, 1, 1), np.sqrt(2) / 3))

    def test_leaky_couplings_of_equal_logits(self):
        coupling = layers.coupling_coefficients(tf.ones([2, 3, 4]), leaky=True)
        # Four logits of 1 beside one of 0.
        self.assertAllClose(coupling, np.full((2, 3, 4), np.e / (4 * np.e + 1)))

    def test_more_iterations_change_the_activation(self):
        votes = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
        once, again, often = (
            layers.route_votes(votes, np.zeros((2, 2), np.float32), iterations).activation
            for iterations in (1, 1, 30)
        )
        self.assertAllEqual(once, again)
        self.assertGreater(np.abs(often - once).max(), 1e-3)

    def test_margin_loss_of_scores_below_0_and_above_1(self):
        scores = np.array([[-0.5, 0.2, 0.9], [1.3, 0.6, -0.1]], np.float32)
        labels = np.array([[0, 0, 1], [1, 1, 1]], np.float32)
        terms = [0.5 * 0.1**2, 0.3**2, 1.0**2]  # absent at 0.2; present at 0.6 and -0.1
        self.assertAllClose(layers.margin_loss(scores, labels), 0.5 * sum(terms) / 6)
        self.assertAllClose(layers.margin_paper_loss(scores, labels), sum(terms) / 2)

    @parameterized.parameters(
        ([1, 1, 0, 0], 1, 1),  # of equal scores the first two classes count
        ([1, 0, 1, 0], 0, 1),
        ([0, 0, 1, 1], 0, 0),
    )
    def test_a_tie_between_scores_with_two_targets(self, labels, correct, almost):
        hits = layers.count_hits(np.zeros((1, 4), np.float32), np.array([labels], np.float32), 2)
        self.assertAllEqual((hits.correct, hits.almost), ([correct], [almost]))

    @parameterized.parameters(
        ('capsule', '', 12), ('capsule', 'remake=false', 6), ('baseline', '', 8)
    )
    def test_variables_and_their_initial_values(self, name, overrides, count):
        model = build_model(
            name, HParams.parse(f'padding=SAME,num_prime_capsules=2,{overrides}'), INFO
        )
        variables = model.tf_variables()
        self.assertLen(variables, count)
        for variable_name, variable in variables.items():
            if variable_name.endswith('biases'):
                self.assertAllEqual(variable, np.full(variable.shape, 0.1, np.float32))
            else:
                self.assertAllInRange(variable, -0.2, 0.2)  # two of their standard deviations
                self.assertGreater(np.std(variable), 0.02)

    @parameterized.parameters('capsule', 'baseline')
    def test_an_image_as_often_as_there_are_towers_gives_one_towers_gradients(self, name):
        model = build_model(name, HParams(num_prime_capsules=2, padding='SAME'), INFO)
        image = tf.reshape(tf.range(32 * 32, dtype=tf.float32) / 1024, [1, 32, 32, 1])
        features = {
            'images': image,
            'labels': tf.one_hot([2], 10),
            'target_labels': tf.constant([[2]]),
            'target_images': image[:, None],
        }
        three = {key: tf.concat([value] * 3, axis=0) for key, value in features.items()}
        _, expected = model.gradients(features)
        _, found = model.gradients(three)
        for one, other in zip(expected, found, strict=True):
            self.assertLess(np.linalg.norm(one - other), 1e-4 * np.linalg.norm(one) + 1e-9)


if __name__ == '__main__':
    tf.test.main()
