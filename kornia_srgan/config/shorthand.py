"""Components on the command line: `NAME:ARGUMENT=VALUE,...`."""

from __future__ import annotations

from typing import Any

import yaml

from kornia_srgan.errors import UserError


def parse_shorthand(text: str, option: str, example: str) -> tuple[str, dict[str, Any]]:
    """Parse the name and the arguments of `srresnet:num_blocks=8,channels=32`.

    Args:
        text: The text.
        option: The option it comes from, for messages.
        example: A correct example, for messages.

    Raises:
        UserError: If it has another form.
    """
    name, _, arguments = text.partition(":")
    found: dict[str, Any] = {}
    for part in filter(None, arguments.split(",")):
        key, equals, value = part.partition("=")
        if not (equals and key.strip()):
            raise UserError(
                f"{option} {text}: expected NAME:ARGUMENT=VALUE,..., such as {example}", where=option
            )
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"{option} {text}: '{value}' is not a value", where=option) from None
    return name, found
