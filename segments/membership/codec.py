"""Members as bytes: roaring bitmaps, the same bytes for the same members."""

from pyroaring import BitMap

from unify.core.errors import StoreError


def to_bytes(members: BitMap) -> bytes:
    """The bytes that are kept.

    How a bitmap was worked out can show in its containers: it is built anew from its sorted members, so that equal
    members are one file.
    """
    fresh = BitMap(members.to_array())
    fresh.run_optimize()
    return bytes(fresh.serialize())


def from_bytes(content: bytes, where: str = "") -> BitMap:
    """The members; StoreError when these bytes are none."""
    try:
        return BitMap.deserialize(content)
    except ValueError as error:
        hint = "`unify segment refresh` finds them anew"
        raise StoreError(f"these are no members of a segment: {error}", where=where, hint=hint) from error
