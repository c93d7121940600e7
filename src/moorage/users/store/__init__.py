"""The only SQL about people and their credentials."""
