"""Detector images: TIFF, CBF, EDF and the raw files of the VAX."""
