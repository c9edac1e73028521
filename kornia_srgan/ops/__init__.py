"""Exact arithmetic and kernels. No component and no file is known here."""
