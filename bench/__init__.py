"""What the platform can do on this machine, measured; see docs/benchmarks.md."""
