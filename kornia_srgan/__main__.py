"""`python -m kornia_srgan` is the command `kornia-srgan`."""

from kornia_srgan.cli import main

if __name__ == "__main__":
    main()
