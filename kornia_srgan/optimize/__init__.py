"""The same generator with less work."""
