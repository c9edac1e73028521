"""Components by name: registries, checks of arguments, plug-ins and the built-in catalogue."""
