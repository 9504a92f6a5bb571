"""Forms of exact planes: `invae.codec.fields.exact`."""
