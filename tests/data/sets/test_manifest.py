"""Fetching: only when asked, every byte checked, what is cached stays, and no network is a clear sentence."""

from __future__ import annotations

import gzip
import hashlib
import importlib

import pytest

from invae.data.sets.manifest import cache_folder, data_sets, fetch
from invae.errors import FileError, FormatError, InputError

CONTENT = b"some bytes " * 20_000


def entry(url, *, sha256=None, extra=""):
    sha256 = sha256 or hashlib.sha256(CONTENT).hexdigest()
    return (
        '[toy]\ntitle = "t"\nhomepage = "h"\nlicence = "l"\ncite = "c"\nreader = "r"\n'
        f'[[toy.files]]\nname = "toy.bin"\nurl = "{url}"\nsha256 = "{sha256}"\n'
        f"bytes = {len(CONTENT)}\n{extra}"
    )


@pytest.fixture
def toy(tmp_path):
    """A manifest of one set whose file is served from this disk."""
    source = tmp_path / "source.bin"
    source.write_bytes(CONTENT)
    listing = tmp_path / "manifest.toml"
    listing.write_text(entry(source.as_uri()))
    return source, listing, tmp_path / "cache"


def test_every_entry_names_source_hash_licence_and_a_reader_that_exists():
    sets = data_sets()
    assert {"mnist", "fashion-mnist", "cifar10", "cbf"} <= set(sets)
    for data_set in sets.values():
        assert data_set.licence and data_set.cite and data_set.homepage.startswith("http") and data_set.files
        module, _, name = data_set.reader.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
        for file in data_set.files:
            assert file.url.startswith("https://") and file.n_bytes > 0
            assert len(file.sha256) == 64 and int(file.sha256, 16)
        assert data_set.n_bytes == sum(file.n_bytes for file in data_set.files)


def test_a_file_is_fetched_once_checked_and_kept(toy):
    source, listing, cache = toy
    seen = []
    (path,) = fetch(
        "toy", cache, manifest_path=listing, progress=lambda done, total: seen.append((done, total))
    )
    assert path == cache / "toy" / "toy.bin" and path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and len(seen) > 1
    source.unlink()
    assert fetch("toy", cache, manifest_path=listing) == [path]


def test_wrong_bytes_are_refused_and_nothing_is_kept(toy):
    source, listing, cache = toy
    source.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(FileError, match="other bytes than the manifest"):
        fetch("toy", cache, manifest_path=listing)
    assert list(cache.rglob("*.*")) == []


def test_an_endless_source_stops_after_the_promised_size(toy):
    source, listing, cache = toy
    source.write_bytes(CONTENT * 10)
    seen = []
    with pytest.raises(FileError, match="other bytes"):
        fetch("toy", cache, manifest_path=listing, progress=lambda done, total: seen.append(done))
    assert seen[-1] < 2 * len(CONTENT)


def test_a_damaged_cache_is_named_and_not_overwritten(toy):
    _, listing, cache = toy
    (path,) = fetch("toy", cache, manifest_path=listing)
    path.write_bytes(b"mine")
    with pytest.raises(FileError, match="delete it"):
        fetch("toy", cache, manifest_path=listing)
    assert path.read_bytes() == b"mine"


def test_without_a_network_the_message_says_what_to_do(toy):
    source, listing, cache = toy
    for url in ("http://localhost:9/nothing", (source.parent / "absent").as_uri()):
        listing.write_text(entry(url))
        with pytest.raises(FileError, match=r"without a network, put a copy with SHA-256 \w+ at .*toy\.bin"):
            fetch("toy", cache, manifest_path=listing)


def test_a_recompressed_copy_put_there_by_hand_is_accepted(toy):
    _, listing, cache = toy
    inside = hashlib.sha256(CONTENT).hexdigest()
    listing.write_text(
        entry("https://localhost:9/x", sha256="0" * 64, extra=f'content_sha256 = "{inside}"\n')
    )
    path = cache / "toy" / "toy.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(CONTENT, mtime=12345))
    assert fetch("toy", cache, manifest_path=listing) == [path]
    path.write_bytes(gzip.compress(CONTENT, mtime=0)[:-8])
    with pytest.raises(FileError, match="delete it"):
        fetch("toy", cache, manifest_path=listing)


def test_unknown_names_addresses_and_manifests_are_named(toy):
    _, listing, cache = toy
    with pytest.raises(InputError, match="known are toy"):
        fetch("no-such-set", cache, manifest_path=listing)
    listing.write_text(entry("ftp://localhost/x"))
    with pytest.raises(FileError, match="https, http or file"):
        fetch("toy", cache, manifest_path=listing)
    listing.write_text("[toy]\ntitle = 1\n")
    with pytest.raises(FormatError, match="files"):
        data_sets(listing)
    listing.write_text("not toml")
    with pytest.raises(FormatError, match="not a manifest"):
        data_sets(listing)


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("INVAE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("INVAE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "invae"


def test_real_copies_have_the_manifest_hashes(shared_data, tmp_path):
    """The test half of MNIST is a recompressed copy, the UCR sets are the very files."""
    from invae.data.sets.manifest import _is_the_file

    sets = data_sets()
    for name, folder in (("mnist", "images/mnist"), ("cbf", "ucr/CBF"), ("wine", "ucr/Wine")):
        present = [
            (shared_data / folder / f.name, f)
            for f in sets[name].files
            if (shared_data / folder / f.name).exists()
        ]
        assert len(present) == 2
        assert all(_is_the_file(path, file) for path, file in present)
