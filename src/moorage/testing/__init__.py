"""What tests and plugin authors use: one conformance suite per kind of plugin."""
