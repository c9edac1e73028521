"""Enlarges a picture in strips of rows, without computing any row twice."""
