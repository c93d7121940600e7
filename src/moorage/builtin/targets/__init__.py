"""Data targets for the common protocols."""
