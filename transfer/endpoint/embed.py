#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py INPUT OUTPUT: a text file as lines of a C string, to be included where a string may stand."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as page, open(sys.argv[2], "w", encoding="ascii") as out:
    for line in page:
        assert line.isascii(), line
        out.write(json.dumps(line) + "\n")
