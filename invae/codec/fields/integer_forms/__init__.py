"""Forms of integer planes: `invae.codec.fields.integers`."""
