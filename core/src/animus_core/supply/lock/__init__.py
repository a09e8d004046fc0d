"""What was installed, and whether it still is the same: hashes over everything that is executed."""
