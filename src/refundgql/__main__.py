"""Run the command line: `python -m refundgql`, or the script `refundgql`.

It must not import the command line before it is asked to run: processes that a server starts import this module again.
"""

import gc
import os


def main() -> None:
    """Import the command line, without looking for garbage meanwhile, and run it."""
    # For the settings Pydantic would read what every installed package says of itself, to see if one is its plugin.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Modules stay until the end: looking through them for garbage finds none, and took a tenth of a start.
    gc.disable()
    from refundgql.cli import main as run

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
