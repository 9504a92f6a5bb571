"""Forms of arrays within a bound: `invae.codec.fields.field`."""
