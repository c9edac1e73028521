"""Enlarges many files with one upscaler."""
