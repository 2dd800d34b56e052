"""Bytes that tell whose they are: the content of a message is a function of its tag and its size."""

import functools
import hashlib

TAG, SIZE, UPLOAD = "x-tag", "x-size", "x-upload"    # fields: whose content, how long it is, how long the request's is
UNASKED = "unasked"                                # the tag of responses that no request was made for
UNIT = 61                                           # a prime, so that a lost or doubled buffer shows


@functools.lru_cache(maxsize=256)
def content(tag, size):
    unit = hashlib.sha256(tag.encode()).hexdigest()[:UNIT].encode()
    return (unit * (size // UNIT + 1))[:size]


def messages(tag, sizes):
    """The content cut into gRPC messages."""
    whole, at, framed = content(tag, sum(sizes)), 0, bytearray()
    for size in sizes:
        framed += b"\0" + size.to_bytes(4, "big") + whole[at:at + size]
        at += size
    return bytes(framed)
