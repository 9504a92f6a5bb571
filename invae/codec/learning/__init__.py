"""Training of codec models from curves and frames."""
