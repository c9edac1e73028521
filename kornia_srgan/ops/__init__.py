"""Exact arithmetic and kernels, independent of components and files."""
