#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""render.py RSVG-CONVERT OUT.c SVG...: the drawings as masks of one colour each, at all sizes of tray/icon.h

A mask has one byte a pixel, its strength; the colour is the drawing's, which has to have one alone. icon.c lays the masks over
each other, so that progress and state combine without a drawing for each pair.
"""

import os
import struct
import subprocess
import sys
import zlib

SIZES = (22, 24, 32, 44, 48, 64, 96)


def unfilter(kind, row, above, step):
    """One row of a PNG, undone in place (PNG specification, 9.2)."""
    for i, byte in enumerate(row):
        left = row[i - step] if i >= step else 0
        up = above[i]
        corner = above[i - step] if i >= step else 0
        if kind == 1:
            byte += left
        elif kind == 2:
            byte += up
        elif kind == 3:
            byte += (left + up) // 2
        elif kind == 4:
            guess = left + up - corner
            byte += min((left, up, corner), key=lambda value: abs(guess - value))
        row[i] = byte & 255
    return row


def read_png(data):
    """(width, height, rows of RGBA) of an eight-bit RGBA picture, which is what rsvg-convert writes."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            assert (depth, colours, interlaced) == (8, 6, 0)
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    raw, rows, above = zlib.decompress(packed), [], bytearray(4 * width)
    for y in range(height):
        line = raw[y * (4 * width + 1):(y + 1) * (4 * width + 1)]
        above = unfilter(line[0], bytearray(line[1:]), above, 4)
        rows.append(above)
    return width, height, rows


def mask(rsvg, path, size):
    """(colour as 0xRRGGBB, size * size strengths)"""
    data = subprocess.run([rsvg, "-w", str(size), "-h", str(size), path], stdout=subprocess.PIPE, check=True).stdout
    width, height, rows = read_png(data)
    assert (width, height) == (size, size)
    pixels = [tuple(row[i:i + 4]) for row in rows for i in range(0, len(row), 4)]
    colours = {pixel[:3] for pixel in pixels if pixel[3] == 255}
    if len(colours) != 1:
        sys.exit(f"{path}: a drawing needs exactly one colour, here are {sorted(colours)}")
    return struct.unpack(">I", bytes((0, *colours.pop())))[0], [pixel[3] for pixel in pixels]


def main():
    rsvg, out, *paths = sys.argv[1:]
    with open(out, "w", encoding="ascii") as file:
        file.write('/* Made by tray/icons/render.py. */\n#include "tray/icon-private.h"\n')
        for path in paths:
            name = os.path.splitext(os.path.basename(path))[0]
            masks = []
            for size in SIZES:
                colour, strengths = mask(rsvg, path, size)
                file.write(f"static const guint8 {name}_{size}[] = {{\n")
                for y in range(size):
                    file.write(",".join(map(str, strengths[y * size:(y + 1) * size])) + ",\n")
                file.write("};\n")
                masks.append(f"{name}_{size}")
            file.write(f"const ExoIconLayer exo_icon_{name} = {{ 0x{colour:06x}, {{ {', '.join(masks)} }} }};\n")


main()
