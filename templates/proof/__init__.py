"""The steps of `prove.py`: an environment, projects in it, what has to hold for each, and a daemon with all of them."""
