"""Picture files and their pixels. No torch."""
