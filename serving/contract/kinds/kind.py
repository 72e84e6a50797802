"""What every kind of column says of itself. A kind is chosen once, by `Column.its`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from serving.contract.faults import ContractError

if TYPE_CHECKING:
    from serving.contract.contract import Column


class Kind(Protocol):
    """A kind of column; it holds nothing, and is asked about columns of its own."""

    dtype: str  # of the encoded values, as ONNX and numpy call it: `float32` or `string`
    datatype: str  # of tensors: `FP32`, `BOOL` or `BYTES`
    width: int = 1  # how many numbers the graph gets for a value; 1 where it gets the encoded value itself
    parts: tuple[str, ...] = ()  # what these numbers are called, where they have names
    free: bool = True  # whether every string, or number, is a value as it stands, where nothing is declared

    def graph(self, encoded: np.ndarray) -> np.ndarray:
        """Encoded values of shape (rows, 1) as the graph takes them, shape (rows, width); as they are where no kind says."""
        return encoded

    def encode(self, column: Column, values: Sequence[Any]) -> np.ndarray:
        """Values as the contract keeps them, shape (rows,).

        Raises:
            ContractError: naming the first that is not allowed.
        """

    def one(self, column: Column, value: Any, row: int) -> Any:
        """One value; raises as `encode` does."""

    def from_csv(self, column: Column, text: str) -> str | float | bool | None:
        """A field of a CSV.

        Raises:
            ValueError: it is none of this kind.
        """

    def known(self, column: Column) -> frozenset[str | None] | None:
        """The encoded strings that are no news; None where every string may be."""

    def unseen(self, column: Column, encoded: np.ndarray) -> int:
        """How many encoded values lie outside what the training snapshot showed."""

    def strict(self, column: Column) -> Any:
        """The type of a JSON value as most clients send it."""

    def lenient(self, column: Column) -> Any:
        """The type of every JSON value that may be meant; `one` looks closer."""

    def logged(self, given: Any, encoded: np.ndarray) -> list[Any]:
        """A column as the log keeps it, in JSON's terms: null for what is missing."""

    def said(self, column: Column, encoded: np.ndarray) -> list[str | None]:
        """Encoded values of shape (rows,) as people read them; None for what is missing."""

    def schema(self, column: Column) -> dict[str, Any]:
        """The JSON schema of a value that may not be null."""

    def example(self, column: Column) -> Any:
        """A value that the model answers; nothing that training showed of a sensitive column."""


def missing(name: str, row: int) -> ContractError:
    """The error of a null where none may be."""
    return ContractError("is missing, and this column may not be null", name, row)
