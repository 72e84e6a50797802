"""The value of containers: an image."""

from __future__ import annotations

from tasks.store import Value


class Image(Value):
    """What a platform runs: an image of the Docker Engine, or the code and the bundle as they lie here.

    `reference` is a tag made of everything that decides the content, `digest` the engine's id of the image, and `pushed` the
    digest in the registry (`REPOSITORY@sha256:...`), empty where there is no registry.
    """

    platform: str
    reference: str = ""
    digest: str = ""
    pushed: str = ""
    why: str = ""
