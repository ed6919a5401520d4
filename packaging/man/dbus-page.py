#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fills the page of the D-Bus interface with what its XML says: dbus-page.py PAGE.in INTERFACES.xml PAGE

A comment before an element documents it: "Name:", then "@argument: ..." lines, a blank line, and text. A short one is
"Name: text"."""

import re
import sys
import textwrap
import xml.etree.ElementTree as etree


def running(text):
    """Text as mdoc has it: each sentence on lines of its own, nothing that is a macro or an escape."""
    sentences = re.split(r'(?<=[a-z0-9)]\.) (?=[A-Z])', ' '.join(text.split()).replace('\\', '\\e'))
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, 76, break_long_words=False, break_on_hyphens=False)]
    return [('\\&' if line[0] in ".'" else '') + line for line in lines]


def parsed(comment):
    """(arguments by name, paragraphs)"""
    body = re.sub(r'\A\s*[\w.]+:', '', comment, count=1)
    arguments, paragraphs = {}, []
    for block in re.split(r'\n\s*\n', body):
        first, *tagged = re.split(r'^\s*@(\w+):', block, flags=re.M)
        if first.strip():
            paragraphs.append(first)
        arguments |= {name: text for name, text in zip(tagged[::2], tagged[1::2])}
    return arguments, paragraphs


def paragraphs_of(texts):
    lines = []
    for text in texts:
        lines += (['.Pp'] if lines else []) + running(text)
    return lines


def signature(member):
    args = [f'{arg.get("direction", "")} {arg.get("type")} {arg.get("name")}'.strip() for arg in member.findall('arg')]
    return f' ({", ".join(args)})'


def member_lines(member, comment):
    arguments, paragraphs = parsed(comment)
    what = f'property {member.get("type")}' if member.tag == 'property' else f'{member.tag}{signature(member)}'
    lines = [f'.It Sy {member.get("name")} No {what}']
    lines += paragraphs_of(paragraphs)
    for argument, text in arguments.items():
        lines += ['.Pp'] if len(lines) > 1 else []
        lines += [f'.Ar {argument} :', *running(text)]
    return lines


def interface_lines(interface, comment):
    arguments, paragraphs = parsed(comment)
    lines = [f'.Ss {interface.get("name")}', *running(arguments.pop('short_description', '') + '.'), '.Pp', *paragraphs_of(paragraphs),
             '.Bl -tag -width Ds']
    comment = None
    for member in interface:
        if member.tag is etree.Comment:
            comment = member.text
        else:
            if comment is None:
                sys.exit(f'dbus-page: {interface.get("name")}.{member.get("name")} is not documented')
            lines += member_lines(member, comment)
            comment = None
    return [*lines, '.El']


def main():
    template, xml, page = sys.argv[1:]
    root = etree.parse(xml, etree.XMLParser(target=etree.TreeBuilder(insert_comments=True))).getroot()
    lines, comment = ['.Sh INTERFACES'], None
    for element in root:
        if element.tag is etree.Comment:
            comment = element.text
        else:
            lines += interface_lines(element, comment)
    with open(template, encoding='utf-8') as file:
        text = file.read()
    with open(page, 'w', encoding='utf-8') as file:
        file.write(text.replace('@INTERFACES@', '\n'.join(lines)))


main()
