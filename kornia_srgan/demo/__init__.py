"""`kornia-srgan demo`: a web page. `service` does the work, independent of the page."""
