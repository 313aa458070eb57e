"""Sevengate: a Kubernetes Ingress controller that never reloads for a route."""

__version__ = "0.1.0"
