"""The data types of MQTT: integers, strings, binary data (MQTT 5, section 1.5)."""

from .errors import malformed

LONGEST = 268_435_455  # The greatest variable byte integer.


class Reader:
    """A cursor over the body of one packet; every step checks the end."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.end = len(data)

    def u8(self) -> int:
        """Read one byte."""
        at = self.at
        if at >= self.end:
            raise malformed("The packet ends inside a field.")
        self.at = at + 1
        return self.data[at]

    def u16(self) -> int:
        """Read a two byte integer."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Read a four byte integer."""
        return int.from_bytes(self.take(4), "big")

    def varint(self) -> int:
        """Read a variable byte integer of at most four bytes, shortest form only."""
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 21:
                raise malformed("A variable byte integer is longer than four bytes.")
        if shift and not byte:
            raise malformed("A variable byte integer is longer than it need be.")
        return value

    def take(self, size: int) -> bytes:
        """Read `size` bytes."""
        start, stop = self.at, self.at + size
        if stop > self.end:
            raise malformed("The packet ends inside a field.")
        self.at = stop
        return self.data[start:stop]

    def binary(self) -> bytes:
        """Read binary data with its two byte length."""
        return self.take(self.u16())

    def text(self) -> str:
        """Read a UTF-8 string with its two byte length."""
        return decode_text(self.binary())

    def rest(self) -> bytes:
        """Read what is left."""
        return self.take(self.end - self.at)

    def done(self) -> None:
        """Refuse bytes after the last field."""
        if self.at != self.end:
            raise malformed("Bytes follow the last field of the packet.")


def decode_text(raw: bytes) -> str:
    """Decode UTF-8; refuses what is ill-formed, surrogates and U+0000 [MQTT-1.5.4-1, -2]."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise malformed("A string is not valid UTF-8.") from None
    if "\0" in text:
        raise malformed("A string contains U+0000.")
    return text


def encode_text(text: str) -> bytes:
    """Write a UTF-8 string with its length."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise malformed("A string contains a surrogate.") from None
    if b"\0" in raw:
        raise malformed("A string contains U+0000.")
    return encode_binary(raw)


def encode_binary(raw: bytes) -> bytes:
    """Write binary data with its length, at most 65,535 bytes."""
    if len(raw) > 0xFFFF:
        raise malformed("A string or binary field is longer than 65,535 bytes.")
    return len(raw).to_bytes(2, "big") + raw


def encode_varint(value: int) -> bytes:
    """Write a variable byte integer, 0 to 268,435,455."""
    if value < 0x80:
        if value < 0:
            raise malformed("A variable byte integer is negative.")
        return value.to_bytes(1, "big")
    if value > LONGEST:
        raise malformed("A variable byte integer is greater than 268,435,455.")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_integer(value: int, size: int) -> bytes:
    """Write an unsigned integer of `size` bytes."""
    if not 0 <= value < 1 << 8 * size:
        raise malformed(f"{value} does not fit into {size} byte(s).")
    return value.to_bytes(size, "big")
