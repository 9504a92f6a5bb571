"""Small numbers and texts in few bytes: the pieces that headers are built from."""

from __future__ import annotations

import struct

import zstandard

from invae.errors import FormatError

__all__ = ["Reader", "Writer"]


class Writer:
    """Append-only byte string."""

    def __init__(self) -> None:
        self.data = bytearray()

    def byte(self, value: int) -> Writer:
        """One unsigned byte."""
        self.data.append(value)
        return self

    def number(self, value: int) -> Writer:
        """Unsigned integer, 7 bits a byte, low bits first, high bit set on all but the last byte (LEB128)."""
        while value > 127:
            self.data.append(value & 127 | 128)
            value >>= 7
        self.data.append(value)
        return self

    def signed(self, value: int) -> Writer:
        """Signed integer, as the unsigned 2 v or -2 v - 1."""
        return self.number(2 * value if value >= 0 else -2 * value - 1)

    def real(self, value: float) -> Writer:
        """Eight bytes, little-endian IEEE double."""
        self.data += struct.pack("<d", value)
        return self

    def short(self, value: float) -> Writer:
        """Positive double: varint m and signed varint e if it is m 10^e with m < 2^14; else 0 and 8 bytes."""
        digits, _, exponent = f"{value:.16e}".rstrip().partition("e")
        whole, _, fraction = f"{float(digits):.6g}".partition(".")
        mantissa, power = int(whole + fraction), int(exponent) - len(fraction)
        if 0 < mantissa < 1 << 14 and float(f"{mantissa}e{power}") == value:
            return self.number(mantissa).signed(power)
        return self.number(0).real(value)

    def raw(self, value: bytes) -> Writer:
        """Bytes as they are."""
        self.data += value
        return self

    def block(self, value: bytes) -> Writer:
        """Length, then bytes."""
        return self.number(len(value)).raw(value)


class Reader:
    """Reads what `Writer` wrote; every fault is a `FormatError` with the byte offset in the file."""

    def __init__(self, data: bytes, origin: int = 0) -> None:
        self.data = data
        self.position = 0
        self.origin = origin

    @property
    def offset(self) -> int:
        """Offset in the file of the next byte."""
        return self.origin + self.position

    def fail(self, message: str) -> FormatError:
        """Return the error to raise here."""
        return FormatError(
            f"byte {self.offset}: {message}; the archive is damaged or not one, restore a copy"
        )

    def raw(self, n: int) -> bytes:
        """Next ``n`` bytes."""
        if n > len(self.data) - self.position:
            raise self.fail(f"{n} bytes wanted, {len(self.data) - self.position} left")
        self.position += n
        return self.data[self.position - n : self.position]

    def byte(self) -> int:
        """One unsigned byte."""
        return self.raw(1)[0]

    def number(self) -> int:
        """Unsigned integer below 2^64."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                if value >> 64:
                    break
                return value
        raise self.fail("a number is longer than 64 bits")

    def signed(self) -> int:
        """Signed integer."""
        value = self.number()
        return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

    def real(self) -> float:
        """IEEE double."""
        return struct.unpack("<d", self.raw(8))[0]

    def short(self) -> float:
        """Positive double in the short form."""
        mantissa = self.number()
        power = self.signed() if mantissa else 0
        value = self.real() if mantissa == 0 else float(f"{mantissa}e{power}") if abs(power) < 400 else 0.0
        if not 0 < value < float("inf"):
            raise self.fail(f"{value} where a positive number belongs")
        return value

    def block(self) -> bytes:
        """Bytes behind their length."""
        return self.raw(self.number())

    def unpacked(self, packed: bytes, most: int) -> bytes:
        """At most ``most`` bytes from one zstd frame, which may announce more than it is allowed to."""
        try:
            if zstandard.frame_content_size(packed) > most:
                raise self.fail(f"zstd data announce more than {most} bytes")
            return zstandard.ZstdDecompressor().decompress(packed, max_output_size=most)
        except zstandard.ZstdError as error:
            raise self.fail(f"zstd data cannot be decoded ({error})") from error

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.raw(len(self.data) - self.position)
