"""A mutant as a process: `proxy.py NAME MODULE -- COMMAND`, a good plugin's command with one mutation in between.

All of it is in `relay.py`: Python compiles the script that it is given anew each time, and a run of the zoo starts this
one thousands of times.
"""

from relay import main

if __name__ == "__main__":
    main()
