"""`make bench`: every benchmark, one after another. Those of the server need `wrk`, and the peers only where installed."""

import sys

from benchmarks import release_overhead
from benchmarks.serving import __main__ as serving
from benchmarks.serving.servers import installed

release_overhead.main()
sys.exit(serving.main([] if installed() else [name for name in serving.MEASURES if name != "compare"]))
