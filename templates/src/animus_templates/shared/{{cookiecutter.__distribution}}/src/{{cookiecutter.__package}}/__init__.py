"""The Animus plugin {{ cookiecutter.__distribution }}."""
