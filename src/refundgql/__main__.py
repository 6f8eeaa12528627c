"""Run the command line as `python -m refundgql`."""

from refundgql.cli import main

if __name__ == "__main__":
    main()
