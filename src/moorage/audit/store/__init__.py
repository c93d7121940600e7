"""The only SQL of the audit: facts, chains and checkpoints, the system log."""
