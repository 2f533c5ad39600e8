"""The parts of the rerank service: the seam for engines, texts to tokens, tokens through ONNX networks to scores."""
