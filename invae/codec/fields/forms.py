"""Forms: the ways in which a thing may be coded. All that suit it bid, the shortest wins, a byte names it.

There are three levels, each one table:

======================================== ==================================== ==========================
table                                    codes                                forms
======================================== ==================================== ==========================
`invae.codec.fields.field.FORMS`         an array within a bound              `fields/field_forms/`
`invae.codec.fields.exact.FORMS`         a plane of numbers, every bit        `fields/exact_forms/`
`invae.codec.fields.integers.FORMS`      a plane of 64-bit integers           `fields/integer_forms/`
======================================== ==================================== ==========================

A new form is one file with ``bids`` and ``decode`` side by side, and one line in its level's table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np

from invae.codec.coding.varint import Reader

__all__ = ["Form", "Table"]

Task = TypeVar("Task")
Wanted = TypeVar("Wanted")
TaskOfForm = TypeVar("TaskOfForm", contravariant=True)
WantedOfForm = TypeVar("WantedOfForm", contravariant=True)


class Form(Protocol[TaskOfForm, WantedOfForm]):
    """One way to code a task and to decode it again.

    Attributes
    ----------
    numbers : tuple of int
        Bytes by which archives name the form: never changed, never used again for another one.
    settles : bool
        Whether no later form can be shorter where this one bids.
    """

    @property
    def numbers(self) -> tuple[int, ...]: ...

    @property
    def settles(self) -> bool: ...

    def bids(self, task: TaskOfForm, others: Sequence[bytes]) -> Iterable[bytes]:
        """Codes of ``task``, each beginning with one of ``numbers``; none where the form does not suit it.

        ``others`` are the bids made before: a form that takes long need not bid where it cannot win.
        """

    def decode(self, number: int, reader: Reader, wanted: WantedOfForm) -> np.ndarray:
        """Rebuild what was coded from what follows ``number``."""


class Table(Generic[Task, Wanted]):
    """The forms of one level, in the order in which they bid.

    Parameters
    ----------
    level : str
        What the number in front of a code is called in messages.
    forms : sequence of Form
        Of two bids of one length the first wins.
    """

    def __init__(self, level: str, forms: Sequence[Form[Task, Wanted]]) -> None:
        self.level = level
        self.forms = forms
        self._of_number = {number: form for form in forms for number in form.numbers}
        if len(self._of_number) != sum(len(form.numbers) for form in forms):
            raise ValueError(f"two forms have one {level}")

    def bids(self, task: Task) -> list[bytes]:
        """Return the bids of all forms for ``task``."""
        made: list[bytes] = []
        for form in self.forms:
            own = list(form.bids(task, made))
            made += own
            if own and form.settles:
                break
        return made

    def encode(self, task: Task) -> bytes:
        """Return the shortest bid."""
        return min(self.bids(task), key=len)

    def decode(self, reader: Reader, wanted: Wanted) -> np.ndarray:
        """Inverse of `encode`.

        Raises
        ------
        FormatError
            No form has the number that is read, or its code is none.
        """
        number = reader.byte()
        if number not in self._of_number:
            raise reader.fail(f"{self.level} {number} is unknown to this version")
        return self._of_number[number].decode(number, reader, wanted)
