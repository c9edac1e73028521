"""Many files through one upscaler."""
