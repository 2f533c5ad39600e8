"""The parts of the OCR service: documents to pictures, pictures to lines, lines to Markdown."""
