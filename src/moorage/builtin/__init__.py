"""Plugins we ship, written as a stranger would."""
