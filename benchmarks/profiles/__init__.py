"""Where the time and the memory of a request go: `python -m benchmarks.profile`."""
