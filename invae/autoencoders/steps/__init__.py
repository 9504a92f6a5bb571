"""Exact autoencoders for step functions."""

from invae.autoencoders.steps.decoders import (
    ReluDecoder,
    SigmoidDecoder,
    encode_steps,
    exact_step_decoder,
    interpolating_decoder,
    minimal_width,
    sigmoid_step_decoder,
    step_signals,
)
from invae.autoencoders.steps.solutions import is_unisolvent
from invae.autoencoders.steps.training import interlaced_decoder

__all__ = [
    "ReluDecoder",
    "SigmoidDecoder",
    "encode_steps",
    "exact_step_decoder",
    "interlaced_decoder",
    "interpolating_decoder",
    "is_unisolvent",
    "minimal_width",
    "sigmoid_step_decoder",
    "step_signals",
]
