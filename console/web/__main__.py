"""Serves the pages on the loopback interface, until it is stopped."""

from __future__ import annotations

import sys

import uvicorn

from console.web.app import app

if __name__ == "__main__":
    uvicorn.run(app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False, server_header=False)
