"""RAW, the child: gives back what it reads, byte for byte."""

from __future__ import annotations

import os

while chunk := os.read(0, 65536):
    os.write(1, chunk)
