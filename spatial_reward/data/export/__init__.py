"""Scenes and questions in the formats of others."""
