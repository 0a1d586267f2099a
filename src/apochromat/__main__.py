"""`python -m apochromat` is the command `apo`."""

from apochromat.cli import main

if __name__ == "__main__":
    main()
