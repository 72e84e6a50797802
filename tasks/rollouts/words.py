"""What people have said to a rollout: lines of a file beside its state, which no look writes.

So a word that falls into a look is neither lost nor in the look's way: the next one heeds it.
"""

from __future__ import annotations

from pathlib import Path

from configs.files import append_line
from configs.settings import made
from tasks.rollouts.state import folder_of
from tasks.rollouts.values import Said, State, Word


def words_of(state: State) -> list[Word]:
    """Every word, oldest first; those of a rollout that an earlier Slipway began stand in its state."""
    path = _path(state)
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [*state.words, *(Word.model_validate_json(line) for line in lines if line.endswith(b"\n"))]


def keep_word(state: State, word: Word) -> None:
    """Append it; the torn end of one that a crash cut off goes, since nobody was told that it counts."""
    append_line(_path(state), word.model_dump_json().encode())


def last_word(words: list[Word], stage: int, *wanted: Said) -> Word | None:
    """The last such word of this stage: those of earlier ones count no more."""
    return next((word for word in reversed(words) if word.said in wanted and word.stage == stage), None)


def the_pause(words: list[Word]) -> Word | None:
    """The pause that nobody has resumed from, in whichever stage it was said."""
    last = next((word for word in reversed(words) if word.said in ("pause", "resume")), None)
    return last if last is not None and last.said == "pause" else None


def _path(state: State) -> Path:
    return made(folder_of(state)) / "words.jsonl"
