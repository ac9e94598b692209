"""What is said of a training before it is built, and what is refused."""

import os
import re
import resource
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from common.errors import UserError
from input_data import Batching, DatasetInfo
from jobs import devices
from jobs.options import RunOptions
from jobs.training.capacity import Plan, describe_forecast
from models import HParams
from models.forecast import forecast_training

GB = 10**9
QUICK = 'routing=1,conv_method=direct,remake=false'  # to trace


def describe(memory, info, overrides='', batch_size=16, dataset='mnist', model='capsule'):
    plan = Plan(model, HParams.parse(overrides), info, Batching(batch_size))
    with (
        mock.patch.object(devices, 'find_memory', return_value=memory),
        mock.patch.object(devices, 'peak_memory', return_value=GB // 2),  # tests before add to it
    ):
        return describe_forecast(RunOptions(dataset=dataset), plan)


class CapacityTest(tf.test.TestCase, parameterized.TestCase):
    def test_says_what_it_will_take(self):
        line = describe(64 * GB, DatasetInfo(28, 28, 1, 10, 1), batch_size=128)
        self.assertStartsWith(
            line,
            'Forecast: 1,152 primary and 10 class capsules, 8,215,728 weights, 0.10 GB with '
            "Adam's moments, about ",
        )
        self.assertRegex(line, r'about \d\.\d\d GB at the peak of a step, of 64 GB here$')
        without = describe(None, DatasetInfo(28, 28, 1, 10, 1), model='baseline')
        self.assertRegex(without, r'^Forecast: [\d,]+ weights, .* at the peak of a step$')

    def test_doubtful_is_not_refused(self):
        info = DatasetInfo(28, 28, 1, 10, 1)
        memory = forecast_training('capsule', HParams.parse(QUICK), info, 16).least_bytes
        self.assertEndsWith(describe(memory, info, QUICK), ' here: it may not fit')
        self.assertStartsWith(self.refusal(memory - 1, info, overrides=QUICK), 'found 0.')

    def refusal(self, memory, info, **rest):
        with self.assertRaises(UserError) as caught:
            describe(memory, info, **rest)
        return str(caught.exception)

    def test_refuses_with_what_would_fit(self):
        info, rest = DatasetInfo(72, 72, 3, 200, 1), dict(dataset='image_folder', batch_size=2)
        memory = 5 * GB  # the weights of capsule2 alone: 25,088 * 8 * 3,200 * 16 bytes = 10 GB
        message = self.refusal(memory, info, overrides=QUICK, **rest)
        self.assertRegex(message, '^found 5.00 GB of memory, expected .* 25,088 primary and 200 ')
        self.assertNotIn('--batch_size', message)
        side = int(re.search(r'--image_size=(\d+)', message)[1]) * 3 // 4  # what the network sees
        types = re.search(r'num_prime_capsules=\d+', message)[0]
        stride = re.search(r'stride=\d+', message)[0]
        small = DatasetInfo(side, side, 3, 200, 1)
        for line in (
            describe(memory, small, QUICK, **rest),
            describe(memory, info, f'{QUICK},{types}', **rest),
            describe(memory, info, f'{QUICK},{stride}', **rest),
        ):
            self.assertNotIn('may not', line)

    def test_a_smaller_batch(self):
        info = DatasetInfo(28, 28, 1, 10, 1)
        told = self.refusal(4 * GB, info, batch_size=8192, overrides=QUICK)
        self.assertRegex(told, 'in batches of 8192; it fits with --batch_size=(2048|1024)')
        self.assertNotIn('--image_size', told)  # the files' own

    def test_a_direct_convolution(self):
        info = DatasetInfo(28, 28, 1, 10, 1)
        memory = forecast_training('paper_baseline', HParams(), info, 128).least_bytes - 1
        told = self.refusal(memory, info, model='paper_baseline', batch_size=128)
        self.assertIn(' or conv_method=direct', told)
        told = self.refusal(memory // 4, info, model='paper_baseline', batch_size=128)
        self.assertNotIn('conv_method=direct', told)

    def test_nothing_helps(self):
        told = self.refusal(10**7, DatasetInfo(28, 28, 1, 10, 1), overrides=QUICK)
        self.assertEndsWith(
            told, 'none of --batch_size, conv_method, num_prime_capsules, stride alone makes it fit'
        )

    def test_finds_the_smallest_limit(self):
        options, infinity = RunOptions(), (resource.RLIM_INFINITY,) * 2
        directory = self.create_tempdir()
        group, machine = f'{directory.full_path}/memory.max', 2**40
        with (
            mock.patch.object(os, 'sysconf', side_effect=lambda _: 2**20),
            mock.patch.object(resource, 'getrlimit', return_value=infinity) as limit,
            mock.patch.object(devices, 'CGROUP_LIMITS', (group, '/nowhere')),
        ):
            self.assertEqual(devices.find_memory(options), machine)
            directory.create_file('memory.max', content='max\n')
            self.assertEqual(devices.find_memory(options), machine)
            directory.create_file('memory.max', content=f'{machine - 1}\n')
            self.assertEqual(devices.find_memory(options), machine - 1)
            limit.return_value = (machine - 2, resource.RLIM_INFINITY)
            self.assertEqual(devices.find_memory(options), machine - 2)
            with mock.patch.object(devices, 'on_gpu', return_value=True):
                limited = RunOptions(gpu_memory_limit_mb=3)
                self.assertEqual(devices.find_memory(limited), 3 * 2**20)


if __name__ == '__main__':
    tf.test.main()
