"""The only SQL about OAuth clients and what they were allowed."""
