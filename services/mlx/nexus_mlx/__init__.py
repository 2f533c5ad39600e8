"""The parts of the MLX service: OpenAI's requests in, mlx_lm.server's own wire format behind, OpenAI's answers out."""
