"""The Siddhi query language: text to syntax tree."""
