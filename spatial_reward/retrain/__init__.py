"""Retrain a model on a user's own scene, in one command, with proof."""
