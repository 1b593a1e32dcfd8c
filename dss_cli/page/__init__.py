"""Self-contained HTML pages: compressed sound, the player of `web/page`, one page per recording."""
