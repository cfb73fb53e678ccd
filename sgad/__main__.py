"""`python -m sgad` is the `sgad` command."""

from sgad.cli import main

if __name__ == "__main__":
    main()
