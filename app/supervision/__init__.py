"""The processes of a service: started, watched, restarted and stopped together.

Nothing is imported here: each of these processes imports a part of this package.
"""
