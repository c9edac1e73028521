"""`kornia-srgan demo`: a page in the browser. `service` does the work and knows nothing of pages."""
