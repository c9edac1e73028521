"""Other engines than PyTorch that run a generator."""
