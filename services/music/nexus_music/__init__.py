"""The parts of the music service: the seam for engines, a composer of scores, and a synthesiser that plays them."""
