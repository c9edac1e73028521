"""Makes `python -m kornia_srgan` the command `kornia-srgan`."""

from kornia_srgan.cli import main

if __name__ == "__main__":
    main()
