"""What the speed claims rest on; each module runs as `python -m benchmarks.NAME [--json]`."""

from jobs import startup

startup.import_tensorflow()  # as any job does
