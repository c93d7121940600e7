"""Bodies of the devices' routes."""
