"""Capsule layers and their mathematics; knows no flags, files or data sets."""

from layers.capsule import Capsule, Length
from layers.conv_capsule import ConvCapsule, flatten_grid
from layers.fast.convolution import CONV_METHODS
from layers.fast.fusion import without_xla
from layers.fast.routing import route
from layers.losses import (
    LOSSES,
    Hits,
    MarginLoss,
    count_hits,
    margin_loss,
    margin_paper_loss,
    reconstruction_loss,
    sigmoid_loss,
    softmax_loss,
    top_classes,
)
from layers.reconstruction import Decoder, mask_capsules
from layers.routing import (
    ROUTINGS,
    Routed,
    capsule_lengths,
    coupling_coefficients,
    route_votes,
    squash,
)
