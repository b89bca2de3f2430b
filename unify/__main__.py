"""`python -m unify` is the command `unify`."""

from unify.cli import main

if __name__ == "__main__":
    main()
