"""Autoencoders: linear maps of least risk in closed form, and what is built on them."""

from invae.autoencoders.bayes_risk import BayesRiskReconstructor
from invae.autoencoders.linear import LinearAutoencoder

__all__ = ["BayesRiskReconstructor", "LinearAutoencoder"]
