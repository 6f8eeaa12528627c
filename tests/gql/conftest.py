"""Servers and clients of the tests of sockets."""

from toy_server import http as http
from toy_server import plain_desk as plain_desk
from toy_server import serve as serve
from toy_server import standing_minute as standing_minute
