"""Integers to bits and back: range coder, adaptive tables, predictors, mixed decisions."""
