"""`python -m hanhtrinh` is the command `hanhtrinh`."""

from hanhtrinh.cli import main

if __name__ == "__main__":
    main()
