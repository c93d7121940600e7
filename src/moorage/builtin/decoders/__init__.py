"""Decoders for scripts and for the common formats."""
