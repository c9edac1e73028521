"""Optimizes generators for inference without changing their images."""
