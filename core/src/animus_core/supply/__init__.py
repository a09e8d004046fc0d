"""What may be executed: plugins are discovered, installed, locked; what a repository brings is trusted, or not used."""
