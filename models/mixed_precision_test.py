"""bfloat16 layers: scores stay near those of float32."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from models import HParams, build_model
from models.golden_test import CASES, GOLDEN, golden_features, set_golden_weights

TOLERANCE = 2e-2


class MixedPrecisionTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        keras.config.set_dtype_policy('mixed_bfloat16')
        self.addCleanup(keras.config.set_dtype_policy, 'float32')

    @parameterized.named_parameters((case[0], *case) for case in CASES if case[1] == 'capsule')
    def test_scores_of_the_golden_cases(self, case, name, overrides, info):
        golden = np.load(GOLDEN / f'{case}.npz', allow_pickle=False)
        model = build_model(name, HParams.parse(overrides), info)
        set_golden_weights(model, strong='strong' in case)
        inferred = model(golden_features(info))
        self.assertEqual(inferred.scores.dtype, tf.float32)
        difference = np.abs(inferred.scores.numpy() - golden['logits']).max()
        self.assertLess(difference, TOLERANCE)
        self.assertGreater(difference, 0)  # or bfloat16 was not used

    def test_variables_stay_float32(self):
        _, name, overrides, info = CASES[0]
        model = build_model(name, HParams.parse(overrides), info)
        for variable in model.tf_variables().values():
            self.assertEqual(variable.dtype, tf.float32)
        self.assertEqual(model.primary_capsules.compute_dtype, 'bfloat16')
        self.assertEqual(model.class_capsules.compute_dtype, 'float32')


if __name__ == '__main__':
    tf.test.main()
