"""Topologies: stacks of named modules, without weights of their own."""
