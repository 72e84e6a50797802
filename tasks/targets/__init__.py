"""Where releases run: one file a target, each with the functions of `target.Target`."""
