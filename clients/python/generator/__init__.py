"""How clients/python/generate.py makes the modules of impasto_client._generated."""
