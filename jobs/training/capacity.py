"""What a training will take, said before its network is built; one that cannot fit is refused."""

import bisect
import contextlib
import dataclasses
import functools
from typing import Any

import input_data
from common.errors import UserError
from input_data import Batching, DatasetInfo
from jobs import devices
from jobs.options import RunOptions
from models import HParams, ModelError
from models.forecast import Forecast, forecast_training

LARGEST_STRIDE = 9  # to advise: beyond Conv1's kernel, pixels are passed over
JOB_BYTES = 220_000_000  # beside a step: compiling, XLA, checkpoints, events (measured, CPU)
STEP_OF_SIZES = 8  # pixels between the image sizes to advise


@dataclasses.dataclass(frozen=True)
class Plan:
    """What decides how much a training takes."""

    model: str
    hparams: HParams
    info: DatasetInfo
    batching: Batching

    @functools.cached_property
    def forecast(self) -> Forecast:
        return forecast_training(self.model, self.hparams, self.info, self.batching.part_size)

    def but(self, **changes: Any) -> 'Plan':
        return dataclasses.replace(self, **changes)

    def fits(self, memory: int) -> bool:
        """Whether a step is likely to fit; so does, as it were, what is too small to be built."""
        try:
            return _peak_bytes(self.forecast) <= memory
        except ModelError:
            return True


# What can be had for less, its values, dearest first, and the plans with them.
Remedy = tuple[str, list[Any], list[Plan]]


def describe_forecast(options: RunOptions, plan: Plan) -> str:
    """One line: capsules, weights, bytes with Adam's moments, the peak of a step, what there is.

    Raises:
      UserError: if it is certain not to fit; names what would.
      ModelError: as `build_model`.
    """
    forecast, memory = plan.forecast, devices.find_memory(options)
    network = f'{forecast.weights:,} weights'
    if forecast.capsules:
        primary, classes = forecast.capsules
        network = f'{primary:,} primary and {classes:,} class capsules, {network}'
    if memory and forecast.least_bytes > memory:
        raise UserError(
            f'found {_gb(memory)} of memory, expected {_gb(forecast.least_bytes)} at least to '
            f'train {network} in batches of {plan.batching.part_size}; '
            f'{_advise(options, plan, memory)}'
        )
    peak = _peak_bytes(forecast)
    line = (
        f"Forecast: {network}, {_gb(forecast.adam_bytes)} with Adam's moments, "
        f'about {_gb(peak)} at the peak of a step'
    )
    if memory is None:
        return line
    return f'{line}, of {_gb(memory)} here' + (': it may not fit' if peak > memory else '')


def _advise(options: RunOptions, plan: Plan, memory: int) -> str:
    """For each flag and hyper-parameter, the value nearest to the user's with which it fits."""
    names, remedies = [], []
    for name, values, plans in _list_remedies(options, plan):
        names.append(name)
        # Each list is no, no, ... yes, yes.
        nearest = bisect.bisect_left(plans, True, key=lambda other: other.fits(memory))
        with contextlib.suppress(IndexError, ModelError):
            if plans[nearest].forecast:  # it can be built
                remedies.append(f'{name}={values[nearest]}')
    if not remedies:
        return f'none of {", ".join(names)} alone makes it fit'
    return f'it fits with {" or ".join(remedies)}'


def _list_remedies(options: RunOptions, plan: Plan) -> list[Remedy]:
    """What the advice is chosen from."""
    batching, hparams, info = plan.batching, plan.hparams, plan.info
    parts = batching.batch_size // batching.part_size
    batch_sizes = [parts * size for size in _halve(batching.part_size)]
    batchings = [dataclasses.replace(batching, batch_size=size) for size in batch_sizes]
    remedies: list[Remedy] = [
        ('--batch_size', batch_sizes, [plan.but(batching=other) for other in batchings])
    ]
    if options.dataset == 'image_folder':
        whole = input_data.raw_images(options.dataset, info).shape[0]  # the network may see a part
        sizes = [*range((whole - 1) // STEP_OF_SIZES * STEP_OF_SIZES, 0, -STEP_OF_SIZES)]
        sides = [size * info.height // whole for size in sizes]
        infos = [dataclasses.replace(info, height=side, width=side) for side in sides]
        remedies.append(('--image_size', sizes, [plan.but(info=other) for other in infos]))
    of_hparams: dict[str, list[Any]] = {
        # The same numbers, more slowly, without what the transforms take.
        'conv_method': ['direct'],
        'num_prime_capsules': _halve(hparams.num_prime_capsules),
        'stride': [*range(hparams.stride + 1, LARGEST_STRIDE + 1)],
    }
    for name, values in of_hparams.items():
        others = [dataclasses.replace(hparams, **{name: value}) for value in values]
        remedies.append((name, values, [plan.but(hparams=other) for other in others]))
    return remedies


def _halve(number: int) -> list[int]:
    return [number >> times for times in range(1, number.bit_length())]


def _peak_bytes(forecast: Forecast) -> int:
    """What this process will have taken at the peak of a step."""
    return forecast.likely_bytes + (0 if devices.on_gpu() else devices.peak_memory() + JOB_BYTES)


def _gb(count: int) -> str:
    return f'{count / 1e9:,.2f} GB' if count < 10e9 else f'{count / 1e9:,.0f} GB'
