"""Studies of the readers of scattering files."""
