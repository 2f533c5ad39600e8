"""The parts of the embeddings service: texts to tokens, tokens to vectors, vectors to the wire."""
