"""JavaScript decoders in jailed processes."""
