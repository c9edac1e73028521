"""What red, green and blue add to luma, by the standards."""

BT601 = (0.299, 0.587, 0.114)
"""ITU-R BT.601: JPEG, small video, and grey pictures as most programs make them."""

BT709 = (0.2126, 0.7152, 0.0722)
"""ITU-R BT.709: HD video."""
