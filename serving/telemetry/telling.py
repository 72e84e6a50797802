"""What the server's own log says of a request that failed: where and what kind of fault, never what came."""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Collection

import msgspec

from serving.contract.faults import SHOWN_FAULTS, ContractError, Fault
from serving.refusal import Refusal

logger = logging.getLogger("slipway")


def told(error: Exception, columns: Collection[str]) -> str:
    """Why a request was not answered; the client got the values back that the log must not hold.

    >>> told(ContractError("'Smith' is not one of a, b", "name", 3), ["name"])
    "row 3, column 'name': against the contract"
    >>> told(ContractError("is not in the contract", "Smith"), ["name"])
    'a column that is not in the contract: against the contract'
    """
    if isinstance(error, Refusal):
        return error.problem
    if isinstance(error, ContractError):
        return "; ".join(_place(fault, columns) for fault in error.faults[:SHOWN_FAULTS])
    if isinstance(error, msgspec.ValidationError):
        return "not a request of this protocol"
    if isinstance(error, msgspec.DecodeError | UnicodeDecodeError | RecursionError):
        return "not JSON that can be read"
    return type(error).__name__


def defect(error: Exception) -> str:
    """Log what is no client's fault; returns the id that the client is told in place of it."""
    number = secrets.token_hex(4)
    logger.error("a request failed", exc_info=error, extra={"fields": {"id": number}})
    return number


def frames(error: BaseException) -> list[str]:
    """The kind of a defect and where it was raised, the innermost last, without its text: a text often has a value in it."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return [kind, *(f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(error.__traceback__))]


def _place(fault: Fault, columns: Collection[str]) -> str:
    row = [] if fault.row is None else [f"row {fault.row}"]
    column = [] if fault.column is None else [f"column {fault.column!r}"]
    if fault.column is not None and fault.column not in columns:
        column = ["a column that is not in the contract"]
    return f"{', '.join(row + column) or 'the request'}: against the contract"
