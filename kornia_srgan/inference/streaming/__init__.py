"""A picture through a generator in strips of rows, without any row computed twice."""
