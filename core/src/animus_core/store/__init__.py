"""What is on disk: paths, kernel-held locks, atomic JSON files, and the database that the daemon alone writes.

Below lie the errors and the standard library. Nothing here knows what a dispatch or a phase is. Import the modules, not
this package: the CLI needs paths and locks without paying for the database.
"""
