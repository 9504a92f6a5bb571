"""What studies share: image sets, stages, tables of targets, expected figures."""
