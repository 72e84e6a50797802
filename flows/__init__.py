"""The stories. Importing a flow makes Prefect tell an answer such as "bad input" in one line, without a traceback."""

from __future__ import annotations

import logging

from configs.errors import CheckFailed, InputError


class _OneLine(logging.Filter):
    """Takes the traceback off errors that are answers; a defect keeps its own."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, InputError | CheckFailed):
            record.msg, record.args, record.exc_info = f"{type(error).__name__}: {error}", (), None
        return True


for _name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_name).addFilter(_OneLine())
