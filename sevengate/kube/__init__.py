"""Kubernetes' nouns: frozen, typed, and only the fields that are read."""
