"""Gates: what a release must show before it gets any traffic. Each is a task that leaves its table as an artifact.

They run against a rehearsal: a server of the same image and settings, with keys on and a log of its own, that nobody else
reaches. So no gate puts a record into the log of the release that will serve, or a number into its metrics.
"""
