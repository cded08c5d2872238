"""Derived from the API's description by clients/python/generate.py; edit that, not this."""
