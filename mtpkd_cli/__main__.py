"""python -m mtpkd_cli, the same as the command mtpkd."""

from mtpkd_cli.cli import main

if __name__ == "__main__":
    main()
