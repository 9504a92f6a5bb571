"""Detector images in TIFF: pixels as stored, sentinels included, with the texts of the header.

A colour picture has its colours beside each other in each pixel. Floats, and planes that are stored one
after the other, are stacks, whatever the photometric tag says: tifffile itself writes a stack of three pages
so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.formats.images.logged import strict_log
from invae.data.formats.images.values import plain
from invae.data.formats.source import Source
from invae.data.records import Frame, Record
from invae.errors import FormatError

__all__ = ["LAZY_BYTES", "TiffStack", "read_tiff", "read_tiff_array"]

LAZY_BYTES = 2**28
_SEPARATE = 2
_PAGES = (int, np.integer, slice)
# Tags that say where the pixels lie in the file, not what they are.
_LAYOUT_TAGS = {
    "StripOffsets",
    "StripByteCounts",
    "TileOffsets",
    "TileByteCounts",
    "FreeOffsets",
    "FreeByteCounts",
}


class TiffStack:
    """Pages of a TIFF on disk that are read where they are sliced; the file is open only while it reads.

    Parameters
    ----------
    path : Path
        The file.
    series : int
        Which of its series of pages.
    shape, dtype
        Of the whole stack, the pages first.
    """

    def __init__(self, path: Path, series: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.series = path, series
        self.shape, self.dtype, self.ndim = tuple(shape), np.dtype(dtype), len(shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        import tifffile

        first, *rest = index if isinstance(index, tuple) and index else (index,)
        with _reading(str(self.path)), tifffile.TiffFile(self.path) as file:
            series: Any = file.series[self.series]
            # Only where each page of the file is one image of the stack can a page be read for itself.
            if self.ndim < 3 or len(series.pages) != self.shape[0] or not isinstance(first, _PAGES):
                return np.asarray(series.asarray()[index])
            wanted = np.arange(self.shape[0])[first]
            pages = [series.pages[int(i)].asarray() for i in np.atleast_1d(wanted)]
            if wanted.ndim == 0:
                return np.asarray(pages[0][tuple(rest)])
            stack = np.stack(pages) if pages else np.empty((0, *self.shape[1:]), self.dtype)
            return np.asarray(stack[(slice(None), *rest)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self[...]
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<TiffStack {self.dtype} {self.shape} at {self.path.name}>"


def read_tiff(source: Source) -> list[Record]:
    """Read each series of pages as one frame: a single page is (rows, columns), a stack has its pages first.

    The ``header`` is the first description of the first page; where there are more, of a page or of further
    ones, all of them are in ``metadata["descriptions"]``, a list for each page.

    Raises
    ------
    FormatError
        Damaged or cut off, a colour picture, or a compression that is not known.
    """
    import tifffile

    frames: list[Record] = []
    with _reading(source.label), tifffile.TiffFile(source.path) as file:
        several = len(file.series) > 1
        for index, series in enumerate(file.series):
            page: Any = series.keyframe
            if _is_picture(page):
                raise FormatError(f"{source.label}: a colour picture, not a detector image")
            tags = {tag.name: plain(tag.value) for tag in page.tags.values() if tag.name not in _LAYOUT_TAGS}
            tags.pop("ImageDescription", None)
            descriptions = _descriptions(series)
            metadata: dict[str, Any] = {"format": "TIFF", "byte_order": file.byteorder, "tags": tags}
            if len(descriptions) > 1 or len(descriptions[0]) > 1:
                metadata["descriptions"] = descriptions
            frame = Frame(
                data=_values(series, index, source),
                units={"data": None},
                name=f"{source.stem}/{index}" if several else source.stem,
                metadata=metadata,
                header=next(iter(descriptions[0]), ""),
                source=f"{source.name} series {index}" if several else source.name,
            )
            frames.append(frame)
        if not frames:
            raise FormatError(f"{source.label}: a TIFF without any image")
    return frames


def read_tiff_array(source: Source) -> Any:
    """The one array of a TIFF, colours included; with ``lazy`` it stays on disk.

    Raises
    ------
    FormatError
        Damaged or cut off, or several series of pages.
    """
    import tifffile

    with _reading(source.label), tifffile.TiffFile(source.path) as file:
        if len(file.series) != 1:
            raise FormatError(f"{source.label} holds {len(file.series)} series of pages, expected one array")
        return _values(file.series[0], 0, source)


@contextmanager
def _reading(label: str) -> Iterator[None]:
    """While tifffile reads: whatever it raises, or logs as an error, of a damaged file is a `FormatError`."""
    with strict_log("tifffile", label):
        try:
            yield
        except FormatError:
            raise
        except Exception as error:  # of damaged files tifffile raises what its parsing happens to meet
            raise FormatError(f"{label}: damaged or unsupported TIFF ({error})") from error


def _is_picture(page: Any) -> bool:
    if page.dtype is not None and page.dtype.kind == "f":
        return False
    if page.samplesperpixel > 1 and page.planarconfig == _SEPARATE:
        return False
    return page.photometric not in (0, 1) or page.samplesperpixel != 1


def _descriptions(series: Any) -> list[list[str]]:
    """The texts of the description tags, of which a page may have several, page by page."""
    texts = []
    for page in series.pages:
        tags = [] if page is None else page.aspage().tags.values()
        texts.append([str(plain(tag.value)) for tag in tags if tag.name == "ImageDescription"])
    while len(texts) > 1 and not texts[-1]:
        texts.pop()
    return texts


def _values(series: Any, index: int, source: Source) -> Any:
    _check_pages(series, source)
    if not source.lazy and (source.lazy is not None or series.nbytes <= LAZY_BYTES):
        values = series.asarray()
        if values.shape != tuple(series.shape):
            raise FormatError(
                f"{source.label}: {values.size} pixels where the shape is {tuple(series.shape)}"
            )
        return values
    if series.dataoffset is None:
        return TiffStack(source.path, index, series.shape, series.dtype)
    # Pixels that lie in one piece need no library: pages are read as they are used.
    dtype = series.dtype.newbyteorder(series.keyframe.parent.byteorder)
    return np.memmap(source.path, dtype, "r", series.dataoffset, series.shape)


def _check_pages(series: Any, source: Source) -> None:
    """Every strip and tile lies in the file: for one that does not tifffile may give zeros."""
    for number, page in enumerate(series.pages):
        if page is None:
            raise FormatError(f"{source.label}: page {number} of the stack is missing")
        for offset, count in zip(page.dataoffsets, page.databytecounts):
            if offset <= 0 or count <= 0 or offset + count > source.size:
                raise FormatError(
                    f"{source.label}: page {number} has {count} bytes at byte {offset}, the file ends at "
                    f"{source.size}: it is cut off"
                )
    if series.dataoffset is not None and series.dataoffset + series.nbytes > source.size:
        raise FormatError(
            f"{source.label}: the pixels need {series.dataoffset + series.nbytes} bytes, the file has "
            f"{source.size}: it is cut off"
        )
