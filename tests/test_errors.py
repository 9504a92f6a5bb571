"""Each kind of error is also the built-in that callers expect."""

from invae import errors


def test_every_error_is_an_invae_error_with_its_builtin_parent():
    parents = {"InputError": ValueError, "BoundError": ValueError, "FormatError": ValueError}
    parents |= {"ModelError": ValueError, "FileError": OSError, "MissingExtraError": ImportError}
    for name in set(errors.__all__) - {"InvaeError", "InvaeWarning"}:
        kind = getattr(errors, name)
        assert issubclass(kind, errors.InvaeError)
        assert issubclass(kind, parents[name])
