"""Studies of the reconstructor."""
