"""The topics that commands announce on the bus and that streams, senders and watchers follow."""

QUEUE = "queue"
"""Every case, for the desk's queue and for whatever follows all events."""
ACCOUNTS = "accounts"
"""Accounts and roles that have changed."""
WEBHOOKS = "webhooks"
"""Endpoints and notices that the sender of webhooks should look at."""


def case_topic(case_id: str) -> str:
    """Return the topic of one case."""
    return f"case:{case_id}"


def viewer_topic(account_id: str) -> str:
    """Return the topic of one person: the cases they are a party of, and their withdrawals."""
    return f"viewer:{account_id}"
