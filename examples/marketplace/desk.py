"""A connection to the desk with nothing but the marketplace's SERVICE token, in the environment as TOKEN."""

import os
from typing import Any

import httpx


class Desk:
    """The desk's API at an address."""

    def __init__(self, url: str) -> None:
        """Connect as whoever the token speaks for."""
        headers = {"authorization": f"Bearer {os.environ['TOKEN']}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=30)

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Send one operation and return its data."""
        answer = self._client.post("/graphql", json={"query": document, "variables": variables}).json()
        if answer.get("errors"):
            raise SystemExit(f"The desk says: {answer['errors'][0]['message']}")
        data: dict[str, Any] = answer["data"]
        return data
