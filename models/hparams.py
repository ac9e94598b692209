"""Hyper-parameters of a model and its training."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from common.errors import UserError
from layers import CONV_METHODS, LOSSES, ROUTINGS

LARGEST_REAL = 3.4e38  # a float32 beyond is infinite
HIGHEST = {  # of those that start at 1
    'decay_steps': 2**31 - 1,  # what TensorFlow counts to
    'num_prime_capsules': 4096,  # 2.7 GB of weights
    'routing': 1000,  # iterations, each a part of the graph
    'stride': 64,
}


class HParamsError(UserError):
    """A hyper-parameter is unknown, malformed or impossible; one line."""

    def __init__(self, fault: str):
        super().__init__(f'--hparams_override: {fault}')
        self.fault = fault  # for values that come from elsewhere


def _hparam(default: Any, help: str, choices: Iterable[str] = ()) -> Any:
    return dataclasses.field(default=default, metadata={'help': help, 'choices': choices})


@dataclasses.dataclass(frozen=True)
class HParams:
    """What `--hparams_override=key=value,...` may change; names and defaults of the release."""

    conv_method: str = _hparam('auto', 'of every convolution but the first', choices=CONV_METHODS)
    decay_rate: float = _hparam(
        0.96, 'the learning rate falls to this part of itself in decay_steps (release)'
    )
    decay_steps: int = _hparam(2000, 'see decay_rate; it falls continuously (release)')
    leaky: bool = _hparam(
        False, 'a zero logit beside the classes, dropped after the softmax (release)'
    )
    learning_rate: float = _hparam(
        0.001, "Adam's, at step 0 (paper Section 5: TensorFlow's default)"
    )
    loss_type: str = _hparam(
        'margin', 'of the classes; margin is 1/20 of Eq. 4 (release)', choices=LOSSES
    )
    num_prime_capsules: int = _hparam(32, 'types of primary capsules (paper Section 4)')
    padding: str = _hparam('VALID', 'of the convolutions: VALID or SAME (paper Fig. 1: VALID)')
    remake: bool = _hparam(True, 'whether there is a decoder and its loss (paper Section 4.1)')
    routing: int = _hparam(3, 'iterations between primary and class capsules (paper Section 5)')
    routing_method: str = _hparam(
        'auto', 'of the class capsules; auto is fast, votes is Procedure 1', choices=ROUTINGS
    )
    stride: int = _hparam(
        1, 'of Conv1, in pixels (paper Section 4: 1); a larger one makes large images affordable'
    )
    verbose: bool = _hparam(False, 'histograms of weights and couplings for TensorBoard (release)')

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            whole_for_real = field.type is float and type(value) is int
            if type(value) is not field.type and not whole_for_real:
                raise HParamsError(f'{field.name} must be {_KINDS[field.type]}, got {value!r}')
        object.__setattr__(self, 'padding', self.padding.upper())
        rules = {
            field.name: (getattr(self, field.name) in choices, f'one of {", ".join(choices)}')
            for field in dataclasses.fields(self)
            if (choices := field.metadata['choices'])
        } | {
            'decay_rate': (0 < self.decay_rate <= 1, 'in (0, 1]'),
            'learning_rate': (0 < self.learning_rate <= LARGEST_REAL, 'positive and finite'),
            'padding': (self.padding in ('VALID', 'SAME'), 'VALID or SAME'),
        }
        for name, highest in HIGHEST.items():
            rules[name] = (1 <= getattr(self, name) <= highest, f'from 1 to {highest}')
        for name, (holds, rule) in rules.items():
            if not holds:
                raise HParamsError(f'{name} must be {rule}, got {getattr(self, name)!r}')

    @classmethod
    def describe(cls) -> str:
        """A line for each hyper-parameter: its default, what it means, its valid words."""
        lines = []
        for field in dataclasses.fields(cls):
            default = str(field.default).lower() if field.type is bool else field.default
            choices = ', '.join(field.metadata['choices'])
            help = field.metadata['help'] + (f'; one of {choices}' if choices else '')
            lines.append(f'  {field.name}={default}: {help}')
        return '\n'.join(lines)

    @classmethod
    def parse(cls, text: str | None, of_run: Mapping[str, object] | None = None) -> 'HParams':
        """Reads the release's `key=value,key=value`; true and false in any case.

        Args:
          text: what the user gave.
          of_run: hyper-parameters by name that stand in for those not given; others are passed by.

        Raises:
          HParamsError: for an unknown key, a key given twice, or a value of the wrong type;
            the message lists the valid keys or says what the value must be.
        """
        kinds = {field.name: field.type for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in (text or '').split(','))):
            key, separator, value = (piece.strip() for piece in part.partition('='))
            if not separator:
                raise HParamsError(f'expected key=value, got {part!r}')
            if key not in kinds:
                raise HParamsError(f'unknown key {key!r}; valid keys: {", ".join(kinds)}')
            if key in values:
                raise HParamsError(f'{key} is given twice')
            values[key] = _convert(key, value, kinds[key])
        known = {key: value for key, value in (of_run or {}).items() if key in kinds}
        return cls(**{**known, **values})


_KINDS: dict[Any, str] = {
    bool: 'true or false',
    int: 'a whole number',
    float: 'a number',
    str: 'a word',
}


def _convert(key: str, text: str, kind: Any) -> object:
    try:
        if kind is bool:
            return {'true': True, '1': True, 'false': False, '0': False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        raise HParamsError(f'{key} must be {_KINDS[kind]}, got {text!r}') from None
