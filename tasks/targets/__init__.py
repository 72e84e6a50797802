"""Where releases run. Each target is one file with the same four functions.

`start(release, image, use_case)` brings a release up and returns it with its address, `stop(release)` takes it down after
it has finished what it accepted, `alive(release)` says whether it runs, and `last_words(release)` what it printed last.
"""
