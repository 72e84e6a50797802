"""Values of the audit: what a model said when it was asked or built again, and what is held on a person."""

from __future__ import annotations

from typing import Any

from tasks.store import Value


class Again(Value):
    """What a model said once more: `same` is None where the record cannot be asked again, or it cannot be said.

    `apart` is how far the farthest number of the output is from the logged one; 0 is equal to the bit.
    """

    same: bool | None
    told: str
    prediction: Any = None
    output: list[float] = []
    apart: float | None = None


class Rebuilt(Value):
    """A version that was trained again: whether its ONNX bytes are `equal`, and what it answers; None where nothing came."""

    equal: bool
    told: str
    onnx: str = ""
    again: Again | None = None


class Place(Value):
    """Rows of a person in a file of the store: `kind` of file, how many rows, what it is for, and how long it stays."""

    kind: str
    name: str
    rows: int
    told: str
    until: str


class Trained(Value):
    """A bundle whose snapshot holds a person: of their rows it `learned` so many, and was judged on `held_out`.

    `versions` are the numbers under which it was deployed here; none where it never was.
    """

    bundle: str
    versions: list[str]
    snapshot: str
    learned: int
    held_out: int


class Subject(Value):
    """What a use case holds of a person. `records` are the log's, by kind; the history tells `holds`, `erasures`, `reads`.

    `reviews` are what people decided about their predictions: who, when, which answer, why.
    `first` and `last` are times of predictions; `exposures` counts by traffic plan, arm and who answered.
    """

    use_case: str
    predictions: int
    first: str = ""
    last: str = ""
    versions: dict[str, int] = {}
    exposures: list[dict[str, Any]] = []
    records: dict[str, list[dict[str, Any]]] = {}
    reviews: list[dict[str, Any]] = []
    places: list[Place] = []
    trained: list[Trained] = []
    holds: list[str] = []
    erasures: list[dict[str, Any]] = []
    reads: list[dict[str, Any]] = []
    cannot: list[str] = []
