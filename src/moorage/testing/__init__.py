"""What tests and plugin authors use: conformance suites for plugins."""
