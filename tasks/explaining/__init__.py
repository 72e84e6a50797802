"""Explaining: why a model answers as it does, and what would have to change."""
