"""Studies of what linear autoencoders and step decoders learn."""
