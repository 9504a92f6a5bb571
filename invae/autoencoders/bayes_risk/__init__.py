"""Reconstruction: the affine map of least Bayes risk, its rank, its risk and its error bars."""

from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor

__all__ = ["BayesRiskReconstructor"]
