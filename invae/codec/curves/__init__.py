"""Learned coding of curves: experts, the kernel that mixes them, and their model."""
