"""Which plugins there are: looked for in order, probed, remembered. Read `discover.py` first."""
