"""PDF: a page of simple HTML (headings, paragraphs, lists, tables) on A4, in a font that has Latin, Greek and Cyrillic."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from pathlib import Path

from configs.errors import InputError

BODY = re.compile(r"<body[^>]*>(.*)</body>", re.DOTALL)
FACES = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf", "I": "DejaVuSans-Oblique.ttf", "BI": "DejaVuSans-BoldOblique.ttf"}
MARKED = {"<mark>": '<font color="#b26a00"><b>', "</mark>": "</b></font>"}  # fpdf2 knows no mark


def pdf_of(html: str, title: str, made: datetime) -> bytes:
    """The body of the page; equal bytes for equal content and time.

    Raises:
        InputError: it has a character that the font has not.
    """
    import matplotlib
    from fpdf import FPDF
    from fpdf.fonts import TTFFont

    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells each table of the font
    pdf = FPDF(format="A4")
    pdf.set_title(title)
    pdf.set_creation_date(made)
    for style, name in FACES.items():
        pdf.add_font("DejaVu", style, Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name)
    pdf.add_page()
    pdf.set_font("DejaVu", size=10)
    found = BODY.search(html)
    body = found[1] if found else html
    for tag, shown in MARKED.items():
        body = body.replace(tag, shown)
    pdf.write_html(body, font_family="DejaVu", table_line_separators=True)
    content = bytes(pdf.output())
    missing = sorted({chr(each) for font in pdf.fonts.values() if isinstance(font, TTFFont) for each in font.missing_glyphs})
    if missing:
        raise InputError(f"the font of the PDF has no {' '.join(missing[:10])}; write HTML, and print it from a browser")
    return content
