"""Studies of the compressor."""
