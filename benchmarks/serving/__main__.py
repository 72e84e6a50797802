"""`python -m benchmarks.serving [install|compare|large|log|overload|memory|profile]...`; without a word, all but `install`.

Needs `wrk` and `taskset`. The peers live in environments of their own in `.bench/`, made by `install`.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.serving.compare import compare
from benchmarks.serving.large import large
from benchmarks.serving.log_cost import log_cost
from benchmarks.serving.memory import memory
from benchmarks.serving.model import build
from benchmarks.serving.overload import overload
from benchmarks.serving.profile import profile
from benchmarks.serving.servers import install, installed

MEASURES = {"compare": compare, "large": large, "log": log_cost, "overload": overload, "memory": memory, "profile": profile}


def main(words: list[str]) -> int:
    """Run what is asked for."""
    unknown = set(words) - {"install", *MEASURES}
    missing = [program for program in ("wrk", "taskset") if shutil.which(program) is None]
    if unknown or missing:
        print(f"error: {', '.join(missing)} is not installed" if missing else __doc__, file=sys.stderr)
        return 2
    if "install" in words:
        install()
    chosen = [name for name in MEASURES if name in words] or ([] if words else list(MEASURES))
    if "compare" in chosen and not installed():
        print("error: the peers are not installed; run 'python -m benchmarks.serving install'", file=sys.stderr)
        return 2
    if chosen:
        with tempfile.TemporaryDirectory() as home:
            model = build(Path(home))
            for name in chosen:
                MEASURES[name](model)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
