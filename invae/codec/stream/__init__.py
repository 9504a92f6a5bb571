"""Frames and planes of integers at a detector's speed: static contexts, interleaved rANS."""

from invae.codec.stream.frames import decode_frame, decode_frames, encode_frames

__all__ = ["decode_frame", "decode_frames", "encode_frames"]
