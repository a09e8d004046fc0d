"""`animus plugin dev`: `command` gives the lines of `terminal` to `prompt`, and shows in `view` what is traced."""
