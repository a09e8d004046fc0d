"""The control protocol's two ends: `table.py` answers, `client.py` asks, through `control.sock` or in-process."""
