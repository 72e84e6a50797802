"""Pages in a browser: rendered here, without JavaScript and without state of their own; `python -m console.web PORT`."""
