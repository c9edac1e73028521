"""What a run is: strict models of a recipe, and how they are read and written. No torch."""
