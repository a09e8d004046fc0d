"""What a plugin costs, beside a reference plugin that does next to nothing and is measured in the same run."""
