"""Without the extra `video` there is nothing to test here."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("av") else ["test_*.py"]
