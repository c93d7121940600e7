"""Plugins Moorage ships, written as a stranger would write them."""
