"""`make bench`: every benchmark, one after another."""

from benchmarks import release_overhead

release_overhead.main()
