"""Bytes to viewer and back: HTTP, WebSocket, server-sent events, tokens, GraphiQL's files, health and metrics.

It must not know tables, commands or rules; operations go to the engine, accounts come from an injected loader.
"""
