"""Learned coding of stacks of frames: centres, local fits, the kernel that mixes them, and their model."""
