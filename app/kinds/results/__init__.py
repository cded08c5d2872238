"""What jobs come to: a model of each kind's result, and what these share.

They describe results, in the API and in its clients. Results are neither checked nor changed by them: a test
does that, with jobs of every kind.
"""
