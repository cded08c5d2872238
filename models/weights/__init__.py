"""Weights that are shipped with the package, as safetensors."""
