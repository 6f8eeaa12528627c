"""refundgql with a clock for tokens that a test sets ahead: `python clocked.py FILE demo …`; FILE holds the seconds.

It must be patched before the product is imported, whose parts take the clock when they are defined.
"""

import sys
import time
from pathlib import Path

present, seconds = time.time, Path(sys.argv.pop(1))
time.time = lambda: present() + float(seconds.read_text() or 0)

if __name__ == "__main__":
    from refundgql.__main__ import main

    main()
