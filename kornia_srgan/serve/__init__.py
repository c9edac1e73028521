"""A server that other programs ask to enlarge pictures."""
