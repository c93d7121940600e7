"""Processes, supervisor, command line."""
