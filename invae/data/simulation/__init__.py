"""Simulated curves, detector frames and phantoms."""

from invae.data.simulation.curves import measure_cost, simulate_curves
from invae.data.simulation.frames import simulate_frames

__all__ = ["measure_cost", "simulate_curves", "simulate_frames"]
