"""Recipes: their strict models, reading and writing. No torch."""
