"""What else does the same job, measured in the same run."""
