"""Clips: decode, enlarge, encode; needs PyAV (extra `video`)."""
