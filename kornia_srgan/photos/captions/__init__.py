"""Words about a picture: comments, texts, IPTC, XMP; read from each format, and put into each."""
