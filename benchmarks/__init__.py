"""What the speed claims rest on; each module runs as `python -m benchmarks.NAME [--json]`."""
