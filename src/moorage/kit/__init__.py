"""Machinery that knows no domain word."""
