"""Training beside other work: waiting threads sleep."""

import os
import subprocess
import sys

from configs.settings import PROJECT


def test_openmp_s_threads_sleep_while_they_wait():
    """As the OpenMP that scikit-learn loads says itself."""
    code = "import flows.release, sklearn.ensemble"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**environment, "OMP_DISPLAY_ENV": "TRUE"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
