"""The default configuration of every command, as Hydra YAML."""
