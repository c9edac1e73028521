"""Named components: the registry, the checks of their arguments, plug-ins and the catalogue."""
