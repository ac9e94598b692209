"""What a user is told of an error is one line in plain words."""

import os

import pytest
import tensorflow as tf

from common.errors import explain_error


def test_memory_that_is_not_enough_is_told_without_tensorflows_marks():
    message = (
        '{{function_node __wrapped__Conv2D_device_/job:localhost/replica:0}} OOM when allocating '
        'tensor with shape[128,256,20,20]\n\n[Op:Conv2D] name: '
    )
    told = explain_error(tf.errors.ResourceExhaustedError(None, None, message))
    assert told.startswith(
        'out of memory (a lower --batch_size, or --eval_batch_size, may help): OOM'
    )
    assert told.endswith('shape[128,256,20,20]')


def test_a_full_disk_is_not_called_memory():
    error = tf.errors.ResourceExhaustedError(None, None, '{{function_node x}} a: No space left')
    assert explain_error(error) == 'a: No space left'


@pytest.mark.parametrize(
    ('path', 'told'),
    [('/dev/full', 'standard output: No space left'), ('|', 'standard output: Broken pipe')],
)
def test_output_that_cannot_be_written_is_named(path, told):
    if path == '|':
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(path, os.O_WRONLY)
    with pytest.raises(OSError) as caught, open(writer, 'w') as output:
        output.write('a line')
    assert explain_error(caught.value).startswith(told)
