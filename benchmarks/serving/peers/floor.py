"""The floor: an empty Granian RSGI handler that reads a body and answers the same bytes as Slipway. PORT ANSWER_FILE"""

import os
import sys
from pathlib import Path

HEADERS = [("content-type", "application/json"), ("x-slipway-release", "floor")]


def create():
    answer = Path(os.environ["ANSWER"]).read_bytes()

    async def app(scope, protocol):
        await protocol()
        protocol.response_bytes(200, HEADERS, answer)

    return app


if __name__ == "__main__":
    from granian import Granian

    os.environ["ANSWER"] = sys.argv[2]
    Granian("floor:create", factory=True, interface="rsgi", port=int(sys.argv[1]), workers=1, log_access=False).serve()
