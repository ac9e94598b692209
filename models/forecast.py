"""What a network will take, from the graph of one of its training steps, before it is built.

The network's own code runs with shapes in place of numbers: nothing is counted twice, no formula
stands here, and whatever a network or a fast form of a layer comes to is in it.
"""

import random
from typing import Any, NamedTuple

import keras
import tensorflow as tf

import layers
from models import build_model
from models.hparams import HParams
from models.model import Model

# Operations whose result is their input, seen otherwise.
VIEWS = frozenset({'ExpandDims', 'Identity', 'IdentityN', 'Reshape', 'Squeeze', 'StopGradient'})
# Those that write into an input that nothing needs any more.
IN_PLACE = frozenset(
    ('AddN', 'AddV2', 'BiasAdd', 'Maximum', 'Mul', 'Neg', 'RealDiv', 'Relu', 'ReluGrad')
    + ('RsqrtGrad', 'Sigmoid', 'SigmoidGrad', 'Softmax', 'Sqrt', 'SqrtGrad', 'Square', 'Sub')
)
COUNTED_ELSEWHERE = frozenset({'Const', 'Placeholder'})
# What kernels need beside their results, and operations side by side: measured, for nine networks
# and batches of 16 to 128, at 1.2 to 1.9 times what the graph holds.
WORK_SPACE = 1.5


class Forecast(NamedTuple):
    """What training will take, in numbers and bytes."""

    capsules: tuple[int, int] | None  # that route to each other: primary, class
    weights: int
    weight_bytes: int
    graph_bytes: int  # the most that tensors of one step hold at once, one operation at a time

    @property
    def adam_bytes(self) -> int:
        """Weights and both moments."""
        return 3 * self.weight_bytes

    @property
    def least_bytes(self) -> int:
        """What no training can do without: also gradients and the tensors of a step."""
        return self.adam_bytes + self.weight_bytes + self.graph_bytes

    @property
    def likely_bytes(self) -> int:
        """What a training step takes at its peak."""
        return self.least_bytes + int((WORK_SPACE - 1) * self.graph_bytes)


def forecast_training(name: str, hparams: HParams, info: Any, batch_size: int) -> Forecast:
    """Traces one step of training without memory for a single weight.

    Args:
      name: as for `build_model`.
      hparams: as for `build_model`.
      info: as for `build_model`.
      batch_size: examples of a step on one device.

    Raises:
      ModelError: as `build_model`.
    """
    # Keras draws the seeds of initial weights from there: a forecast must not change them.
    state = random.getstate()
    with keras.StatelessScope(initialize_variables=False):
        model = build_model(name, hparams, info)
    random.setstate(state)
    variables = list(model.released_variables().values())

    def gradients(values, features):
        values = zip(variables, values, strict=True)
        with keras.StatelessScope(values, initialize_variables=False):
            return model.gradients(features)[1]

    graph = tf.function(gradients, autograph=False).get_concrete_function(
        [tf.TensorSpec(variable.shape, variable.dtype) for variable in variables],
        _feature_specs(info, batch_size),
    )
    weight_bytes = sum(_bytes(tensor) for tensor in graph.inputs[: len(variables)])
    return Forecast(
        _count_capsules(model), model.count_params(), weight_bytes, _peak_bytes(graph.graph)
    )


def _feature_specs(info: Any, batch_size: int) -> dict[str, tf.TensorSpec]:
    image = (info.height, info.width, info.depth)
    return {
        'images': tf.TensorSpec((batch_size, *image)),
        'labels': tf.TensorSpec((batch_size, info.num_classes)),
        'target_labels': tf.TensorSpec((batch_size, info.num_targets), tf.int32),
        'target_images': tf.TensorSpec((batch_size, info.num_targets, *image)),
    }


def _count_capsules(model: Model) -> tuple[int, int] | None:
    for layer in model.layers:
        if isinstance(layer, layers.Capsule):
            return layer.weight.shape[0], layer.out_capsules
    return None


def _peak_bytes(graph: tf.Graph) -> int:
    """The most bytes held at once when operations run one after another, in the graph's order."""
    operations = graph.get_operations()
    viewed = {
        view.ref(): tensor
        for operation in operations
        if operation.type in VIEWS
        for tensor, view in zip(operation.inputs, operation.outputs, strict=False)
    }
    last_use: dict[Any, int] = {}
    for number, operation in enumerate(operations):
        for tensor in (*operation.inputs, *operation.outputs):
            while tensor.ref() in viewed:
                tensor = viewed[tensor.ref()]
            last_use[tensor.ref()] = number
    ends: dict[int, list] = {}
    for tensor, number in last_use.items():
        ends.setdefault(number, []).append(tensor)

    held: dict[Any, int] = {}
    now = peak = 0
    for number, operation in enumerate(operations):
        ending = ends.get(number, [])
        if operation.type not in VIEWS | COUNTED_ELSEWHERE:
            made = {tensor.ref(): _bytes(tensor) for tensor in operation.outputs}
            if operation.type in IN_PLACE:
                size = sum(made.values())
                reused = next((tensor for tensor in ending if held.get(tensor) == size), None)
                now -= held.pop(reused, 0)
            held |= made
            now += sum(made.values())
        peak = max(peak, now)
        now -= sum(held.pop(tensor, 0) for tensor in ending)
    return peak


def _bytes(tensor: tf.Tensor) -> int:
    """Bytes of a tensor; of the list that a loop fills, those of what is made of it at its end."""
    if tensor.dtype == tf.variant:
        stacks = [user for user in tensor.consumers() if user.type == 'TensorListStack']
        return _bytes(stacks[0].outputs[0]) if stacks else 0
    return (tensor.shape.num_elements() or 0) * tensor.dtype.size
