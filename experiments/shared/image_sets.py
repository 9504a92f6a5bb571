"""Image sets for the experiments: digits from scikit-learn, others from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from invae.data.sets.cifar import read_cifar
from invae.data.sets.idx import read_idx
from invae.data.sets.manifest import cache_folder
from invae.errors import InputError

__all__ = ["ImageSet", "available_sets", "digits", "read_images"]

# Folders looked into for MNIST and its like: what was fetched, and data beside the checkout.
FOLDERS = (cache_folder(), Path(__file__).resolve().parents[3] / "shared" / "data" / "images")


@dataclass(frozen=True)
class ImageSet:
    """Grey images as rows ``pixels`` (N, m) in [0, 1], their ``shape`` (h, w), ``labels`` (N,) or None."""

    name: str
    pixels: np.ndarray
    shape: tuple[int, int]
    labels: np.ndarray | None = None

    def subset(self, n: int, rng: np.random.Generator) -> ImageSet:
        """``n`` images at random, all where there are fewer."""
        keep = np.sort(rng.permutation(len(self.pixels))[:n])
        return ImageSet(
            self.name, self.pixels[keep], self.shape, None if self.labels is None else self.labels[keep]
        )


def digits() -> ImageSet:
    """1797 digits of 8 x 8 pixels, part of scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return ImageSet("digits 8 x 8", bunch.data / 16.0, (8, 8), bunch.target)


def read_images(path: str | Path) -> ImageSet:
    """Images of an IDX file, .npz (``images``, maybe ``labels``), .npy, or CIFAR-10 .bin or .tar.gz.

    Labels of an IDX file are taken from the file of the same name with ``labels-idx1`` for ``images-idx3``.
    """
    path = Path(path)
    labels = None
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            if "images" not in archive:
                raise InputError(f"{path} has no array 'images'; it has {', '.join(archive)}")
            images, labels = archive["images"], archive["labels"] if "labels" in archive else None
    elif path.suffix == ".npy":
        images = np.load(path, allow_pickle=False)
    elif path.suffix == ".bin" or path.name.endswith(".tar.gz"):
        images, labels = read_cifar(path)
    else:
        images = read_idx(path)
        beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
        labels = read_idx(beside) if beside != path and beside.is_file() else None
    return ImageSet(path.name.split(".")[0], *_grey_rows(images, path), labels)


def available_sets(names: list[str]) -> list[ImageSet]:
    """Of "digits", "mnist", "fashion-mnist" and "cifar10" those that this machine has."""
    sets = []
    for name in names:
        if name == "digits":
            sets.append(digits())
            continue
        for folder in FOLDERS:
            files = sorted((folder / name).glob("*images-idx3-ubyte*")) + sorted(
                (folder / name).glob("*.npz")
            )
            if files:
                images = read_images(files[0])
                sets.append(ImageSet(name, images.pixels, images.shape, images.labels))
                break
    return sets


def _grey_rows(images: np.ndarray, path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    if images.ndim == 4 and images.shape[-1] in (3, 4):
        images = images[..., :3].mean(axis=-1)
    if images.ndim != 3 or len(images) == 0:
        raise InputError(
            f"{path} holds an array of shape {images.shape}, expected images (N, h, w) or (N, h, w, 3)"
        )
    rows = images.reshape(len(images), -1).astype(np.float64)
    return rows / max(rows.max(), 1e-300), images.shape[1:]
