"""Doors that come with the platform."""
